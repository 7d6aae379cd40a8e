//! GetParameter and GetParameters, for the public parameters that name images.

use serde_json::{Value, json};

use super::describe::epoch;
use super::input::{invalid, required};
use crate::sim::answer::ApiError;
use crate::sim::config::REGION;
use crate::sim::image::Image;
use crate::sim::state::Call;

/// Systems Manager's limit on names of one call.
const MAX_NAMES: usize = 10;

pub(super) fn get_parameter(call: &mut Call<'_>, body: &Value) -> Result<Value, ApiError> {
    let name: String = required(body, "Name")?;
    match find(call, &name) {
        Some(image) => Ok(json!({ "Parameter": parameter(call, &name, image) })),
        None => Err(ApiError::client(
            "ParameterNotFound",
            format!("Parameter {name} not found."),
        )),
    }
}

pub(super) fn get_parameters(call: &mut Call<'_>, body: &Value) -> Result<Value, ApiError> {
    let names: Vec<String> = required(body, "Names")?;
    if names.is_empty() || names.len() > MAX_NAMES {
        return Err(invalid(format!("Give 1 to {MAX_NAMES} parameter names")));
    }
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for name in &names {
        match find(call, name) {
            Some(image) => found.push(parameter(call, name, image)),
            None => unknown.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": unknown }))
}

fn find<'c>(call: &Call<'c>, name: &str) -> Option<&'c Image> {
    call.images
        .iter()
        .find(|image| image.parameter.as_deref() == Some(name))
}

fn parameter(call: &Call<'_>, name: &str, image: &Image) -> Value {
    json!({
        "Name": name,
        "Type": "String",
        "DataType": "text",
        "Value": image.id,
        "Version": 1,
        "LastModifiedDate": epoch(call.wall),
        "ARN": format!("arn:aws:ssm:{REGION}::parameter{name}"),
    })
}
