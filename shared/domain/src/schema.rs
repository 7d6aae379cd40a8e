//! How a text that is more than one thing is described in the OpenAPI document: by a pattern (JSON Schema, ECMA-262).
//! Types around one `String` say it themselves, with `#[schema(pattern = …)]`.

/// Describes a type as the texts of a pattern.
macro_rules! text_schema {
    ($kind:ident, $pattern:literal) => {
        impl utoipa::PartialSchema for $kind {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some($pattern))
                    .into()
            }
        }

        impl utoipa::ToSchema for $kind {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($kind).into()
            }
        }
    };
}
pub(crate) use text_schema;
