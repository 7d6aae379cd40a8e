"""What `sam package` does, without an AWS account: reads template.yaml and a list of artifacts, writes the template as
JSON with every local path replaced by where its artifact was uploaded, and makes the zips.

Two commands:

  zip <binary> <zip>                         the deployment package of one function: the binary as an executable `bootstrap`
  template <template.yaml> <artifacts.json>  prints the packaged template; artifacts.json maps a function's binary name
                                             or a definition's path to {"bucket", "key"}
"""

import json
import sys
import zipfile


def make_zip(binary, target):
    # A fixed time makes the same binary the same zip; level 1 because it is made more often than it is read.
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with open(binary, "rb") as source, zipfile.ZipFile(target, "w", compresslevel=1) as archive:
        archive.writestr(entry, source.read(), compresslevel=1)


def package_template(path, artifacts):
    # MiniStack's own reader, so that CloudFormation's tags mean here what they mean there.
    from ministack.services.cloudformation.engine import _parse_template

    with open(path, encoding="utf-8") as file:
        template = _parse_template(file.read())
    for logical_id, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            binary = resource.get("Metadata", {}).get("BuildProperties", {}).get("Binary")
            if binary not in artifacts:
                sys.exit(f"{path}: {logical_id} names the binary {binary!r}, which is not among those built: "
                         f"{', '.join(sorted(artifacts))}")
            properties["CodeUri"] = s3(artifacts[binary])
        elif resource["Type"] == "AWS::Serverless::StateMachine":
            definition = properties.get("DefinitionUri")
            if definition not in artifacts:
                sys.exit(f"{path}: {logical_id} has the definition {definition!r}, which was not uploaded")
            properties["DefinitionUri"] = s3(artifacts[definition])
    return template


def s3(artifact):
    return {"Bucket": artifact["bucket"], "Key": artifact["key"]}


def main():
    match sys.argv[1:]:
        case ["zip", binary, target]:
            make_zip(binary, target)
        case ["template", template, artifacts]:
            with open(artifacts, encoding="utf-8") as file:
                json.dump(package_template(template, json.load(file)), sys.stdout)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
