"""openapi.py - judges an API description and answers of the API by it.

usage: openapi.py DOCUMENT.json ANSWERS.json

ANSWERS: [{"method", "path" (the template), "status", "type" (Content-Type),
"body"}].  Prints one line per fault and, as the last line, how much was
judged: "operations=N examples=N answers=N faults=N".

SPDX-License-Identifier: Apache-2.0
"""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

METHODS = ("get", "put", "post", "delete", "patch")
faults = []


def unique(pairs):
    """Members as a dict; a name that comes twice is a fault."""
    names = [name for name, _ in pairs]
    for name in {name for name in names if names.count(name) > 1}:
        faults.append(f"the member {name} comes twice")
    return dict(pairs)


def pointer(*parts):
    """A JSON pointer to PARTS."""
    return "/".join(
        [""] + [str(p).replace("~", "~0").replace("/", "~1") for p in parts]
    )


def judge(where, value, at):
    """Compare VALUE with the schema at the pointer AT of the document."""
    schema = {"$ref": "urn:document#" + at}
    validator = Draft202012Validator(
        schema,
        registry=registry,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    for error in validator.iter_errors(value):
        faults.append(f"{where}: {error.json_path}: {error.message[:300]}")


def operations():
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def media_of(content, media_type):
    """The name in CONTENT that MEDIA_TYPE falls under."""
    wanted = media_type.split(";")[0].strip().lower()
    for name in content:
        if name.split(";")[0].strip().lower() == wanted:
            return name
    return "*/*" if "*/*" in content else None


def judge_examples():
    """Compare every example of the document with its schema; how many."""
    count = 0
    for path, method, operation in operations():
        base = ("paths", path, method)
        where = f"{method.upper()} {path}"
        for i, parameter in enumerate(operation["parameters"]):
            if "example" in parameter:
                count += 1
                judge(
                    f"{where}: {parameter['name']}",
                    parameter["example"],
                    pointer(*base, "parameters", i, "schema"),
                )
        body = operation.get("requestBody", {})
        for name, media in body.get("content", {}).items():
            if "example" not in media:
                if body["required"]:
                    faults.append(f"{where}: no example of the body")
                continue
            count += 1
            judge(
                f"{where}: body",
                media["example"],
                pointer(*base, "requestBody", "content", name, "schema"),
            )
        for status, answer in operation["responses"].items():
            for name, media in answer.get("content", {}).items():
                if "example" in media:
                    count += 1
                    judge(
                        f"{where}: {status}",
                        media["example"],
                        pointer(
                            *base, "responses", status, "content", name, "schema"
                        ),
                    )
    for name, example in document["components"]["examples"].items():
        count += 1
        judge(name, example["value"], "/components/schemas/Problem")
    return count


def judge_answer(told):
    """Compare one answer of the server with what the document says."""
    method = told["method"].lower()
    where = f"{told['method']} {told['path']}: {told['status']}"
    operation = document["paths"].get(told["path"], {}).get(method)
    if operation is None:
        faults.append(f"{where}: not in the document")
        return
    answer = operation["responses"].get(str(told["status"]))
    if answer is None:
        faults.append(f"{where}: no such answer in the document")
        return
    content = answer.get("content", {})
    if not content:
        if told["body"] != "":
            faults.append(f"{where}: a body that is not in the document")
        return
    name = media_of(content, told["type"])
    if name is None:
        faults.append(f"{where}: the type {told['type']} is not in the document")
        return
    value = told["body"]
    if "json" in name and "ndjson" not in name:
        value = json.loads(told["body"])
    judge(
        where,
        value,
        pointer(
            "paths",
            told["path"],
            method,
            "responses",
            str(told["status"]),
            "content",
            name,
            "schema",
        ),
    )


with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file, object_pairs_hook=unique)
with open(sys.argv[2], encoding="utf-8") as file:
    answers = json.load(file)
registry = Registry().with_resource(
    "urn:document", Resource(contents=document, specification=DRAFT202012)
)
for fault in OpenAPIV31SpecValidator(document).iter_errors():
    faults.append(f"not OpenAPI 3.1: {fault.message[:300]}")
examples = judge_examples()
for answer_told in answers:
    judge_answer(answer_told)
for line in faults:
    print(line)
print(
    f"operations={len(list(operations()))} examples={examples}"
    f" answers={len(answers)} faults={len(faults)}"
)
