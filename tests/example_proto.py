"""TensorFlow's SequenceExample as Google's protobuf library makes it from example.proto and feature.proto."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("google.protobuf")
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

KINDS = {"bytes": "TYPE_BYTES", "float": "TYPE_FLOAT", "int64": "TYPE_INT64"}


def _sequence_example() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    types = descriptor_pb2.FieldDescriptorProto

    def add(message: Any, name: str, number: int, kind: str, label: str = "LABEL_OPTIONAL", of: str = "") -> Any:
        field = message.field.add(name=name, number=number, type=getattr(types, kind), label=getattr(types, label))
        if of:
            field.type_name = f".t.{of}"
        return field

    feature = descriptor_pb2.DescriptorProto(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(KINDS.items(), 1):
        values = file.message_type.add(name=f"{name.title()}List")
        add(values, "value", 1, kind, "LABEL_REPEATED")
        add(feature, f"{name}_list", number, "TYPE_MESSAGE", of=f"{name.title()}List").oneof_index = 0
    file.message_type.append(feature)
    add(file.message_type.add(name="FeatureList"), "feature", 1, "TYPE_MESSAGE", "LABEL_REPEATED", "Feature")
    for name, of in (("Features", "Feature"), ("FeatureLists", "FeatureList")):
        message = file.message_type.add(name=name)
        entry = message.nested_type.add(name="FeatureEntry")
        entry.options.map_entry = True
        add(entry, "key", 1, "TYPE_STRING")
        add(entry, "value", 2, "TYPE_MESSAGE", of=of)
        add(message, "feature", 1, "TYPE_MESSAGE", "LABEL_REPEATED", f"{name}.FeatureEntry")
    example = file.message_type.add(name="SequenceExample")
    add(example, "context", 1, "TYPE_MESSAGE", of="Features")
    add(example, "feature_lists", 2, "TYPE_MESSAGE", of="FeatureLists")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.SequenceExample"))


SequenceExample = _sequence_example()


def serialized(context: dict[str, list[Any]], lists: dict[str, list[list[Any]]]) -> bytes:
    """The message of features by name, and of lists of features by name."""
    example = SequenceExample()
    for name, values in context.items():
        _fill(example.context.feature[name], values)
    for name, features in lists.items():
        example.feature_lists.feature[name].SetInParent()
        for values in features:
            _fill(example.feature_lists.feature[name].feature.add(), values)
    return bytes(example.SerializeToString(deterministic=True))


def _fill(feature: Any, values: list[Any]) -> None:
    if values:
        kind = {bytes: "bytes_list", float: "float_list", int: "int64_list"}[type(values[0])]
        getattr(feature, kind).value.extend(values)
