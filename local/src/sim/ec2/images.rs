//! DescribeImages, over the images of the configuration.

use super::errors;
use super::filters::Filters;
use super::launch::ROOT_DEVICE;
use super::paging::{numbered, page};
use super::query::Params;
use super::xml::Xml;
use crate::sim::answer::ApiError;
use crate::sim::config::Image;
use crate::sim::ids;
use crate::sim::instance::Tags;
use crate::sim::state::Call;

/// The account that Amazon Linux images belong to.
const AMAZON: &str = "137112412989";
const CREATED: &str = "2025-11-07T00:00:00.000Z";

/// Filters that all simulated images have the same value of.
const CONSTANTS: [(&str, &str); 7] = [
    ("state", "available"),
    ("owner-alias", "amazon"),
    ("owner-id", AMAZON),
    ("is-public", "true"),
    ("root-device-type", "ebs"),
    ("virtualization-type", "hvm"),
    ("image-type", "machine"),
];

pub(super) fn describe_images(call: &mut Call<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut known = vec!["image-id", "name", "architecture"];
    known.extend(CONSTANTS.iter().map(|(name, _)| *name));
    let filters = Filters::read(params, &known, true)?;
    let (ids, owners) = (params.list("ImageId"), params.list("Owner"));
    check_ids(call, &ids)?;
    let ours = owners.is_empty()
        || owners
            .iter()
            .any(|owner| owner == "amazon" || owner == AMAZON);
    let wanted = call.config.images.iter().filter(|image| {
        ours && (ids.is_empty() || ids.contains(&image.id))
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
        .filter(|id| !call.config.images.iter().any(|image| image.id == **id))
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
    xml.value("imageOwnerId", AMAZON);
    xml.value("imageOwnerAlias", "amazon");
    xml.value("isPublic", true);
    xml.value("creationDate", CREATED);
    xml.value("rootDeviceType", "ebs");
    xml.value("rootDeviceName", ROOT_DEVICE);
    xml.value("virtualizationType", "hvm");
    xml.value("hypervisor", "xen");
    xml.value("enaSupport", true);
    xml.value("platformDetails", "Linux/UNIX");
    xml.list("blockDeviceMapping", [image], |xml, image| {
        xml.value("deviceName", ROOT_DEVICE);
        xml.element("ebs", |xml| {
            xml.value("volumeSize", image.root_gib);
            xml.value("volumeType", "gp3");
            xml.value("deleteOnTermination", true);
            xml.value("encrypted", false);
        });
    });
}
