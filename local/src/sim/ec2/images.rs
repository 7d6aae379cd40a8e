//! DescribeImages, over the images of the configuration.

use super::errors;
use super::filters::Filters;
use super::paging::{numbered, page};
use super::query::Params;
use super::xml::Xml;
use crate::sim::answer::ApiError;
use crate::sim::ids;
use crate::sim::image::{AMAZON_ALIAS, Image};
use crate::sim::instance::Tags;
use crate::sim::state::Call;

/// Filters that all simulated images have the same value of.
const CONSTANTS: [(&str, &str); 6] = [
    ("state", "available"),
    ("owner-alias", AMAZON_ALIAS),
    ("is-public", "true"),
    ("root-device-type", "ebs"),
    ("virtualization-type", "hvm"),
    ("image-type", "machine"),
];

pub(super) fn describe_images(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut known = vec![
        "architecture",
        "creation-date",
        "image-id",
        "name",
        "owner-id",
        "root-device-name",
    ];
    known.extend(CONSTANTS.iter().map(|(name, _)| *name));
    let filters = Filters::read(params, &known, true)?;
    let (ids, owners) = (params.list("ImageId"), params.list("Owner"));
    check_ids(call, &ids)?;
    let owned = |image: &Image| {
        owners.is_empty()
            || owners
                .iter()
                .any(|owner| owner == AMAZON_ALIAS || *owner == image.owner)
    };
    let wanted = call.images.iter().filter(|image| {
        owned(image)
            && (ids.is_empty() || ids.contains(&image.id))
            && filters.pass(&Tags::new(), |name| vec![value(image, name)])
    });
    let page = page(params, "images", numbered(wanted))?;
    let mut xml = Xml::default();
    xml.list("imagesSet", page.items, write);
    xml.optional("nextToken", page.next_token);
    Ok(xml)
}

fn check_ids(call: &Call<'_>, wanted: &[String]) -> Result<(), ApiError> {
    if let Some(bad) = wanted.iter().find(|id| !ids::is_resource(id, "ami-")) {
        return Err(errors::malformed("InvalidAMIID.Malformed", bad));
    }
    let unknown: Vec<&str> = wanted
        .iter()
        .filter(|id| !call.images.iter().any(|image| image.id == **id))
        .map(String::as_str)
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(ApiError::client(
        "InvalidAMIID.NotFound",
        format!("The image id '[{}]' does not exist", unknown.join(", ")),
    ))
}

fn value(image: &Image, filter: &str) -> String {
    match filter {
        "image-id" => image.id.clone(),
        "name" => image.name.clone(),
        "architecture" => image.architecture.clone(),
        "creation-date" => image.created.clone(),
        "owner-id" => image.owner.clone(),
        "root-device-name" => image.root_device.clone(),
        other => CONSTANTS
            .iter()
            .find(|(name, _)| *name == other)
            .map_or("", |(_, value)| value)
            .to_owned(),
    }
}

fn write(xml: &mut Xml, image: &Image) {
    xml.value("imageId", &image.id);
    xml.value("name", &image.name);
    xml.value("description", &image.name);
    xml.value("architecture", &image.architecture);
    xml.value("imageLocation", format!("amazon/{}", image.name));
    xml.value("imageState", "available");
    xml.value("imageType", "machine");
    xml.value("imageOwnerId", &image.owner);
    xml.value("imageOwnerAlias", AMAZON_ALIAS);
    xml.value("isPublic", true);
    xml.value("creationDate", &image.created);
    xml.value("rootDeviceType", "ebs");
    xml.value("rootDeviceName", &image.root_device);
    xml.value("virtualizationType", "hvm");
    xml.value("hypervisor", "xen");
    xml.value("enaSupport", true);
    xml.value("platformDetails", "Linux/UNIX");
    xml.list("blockDeviceMapping", [image], |xml, image| {
        xml.value("deviceName", &image.root_device);
        xml.element("ebs", |xml| {
            xml.value("snapshotId", image.snapshot_id());
            xml.value("volumeSize", image.root_gib);
            xml.value("volumeType", "gp3");
            xml.value("deleteOnTermination", true);
            xml.value("encrypted", false);
        });
    });
}
