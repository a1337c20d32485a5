"""Automations as YAML text, in one of the many ways in which people and Home Assistant's editor write it."""
import yaml


class Plain:
    """A scalar written as it stands, without quotes; YAML reads it as `value`."""

    def __init__(self, text, value):
        self.text, self.value = text, value


def represent_plain(dumper, plain):
    return dumper.represent_scalar("tag:yaml.org,2002:int", plain.text)


def dumper_for(rng):
    """A dumper with habits of its own: how strings are quoted, lists and mappings flow, truth is spelled."""
    style = rng.choice([None, None, "'", '"'])
    true, false = rng.choice([("true", "false"), ("True", "False"), ("yes", "no"), ("on", "off")])
    null = rng.choice(["null", "~", ""])
    flow = rng.choice([0, 0, 0.3, 1])

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data):
            return True

    def string(dumper, text):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style if rng.random() < 0.7 else None)

    def flows(node):
        inner = [n for pair in node.value for n in pair] if isinstance(node, yaml.MappingNode) else node.value
        node.flow_style = all(isinstance(n, yaml.ScalarNode) or n.flow_style for n in inner) and rng.random() < flow
        return node

    Dumper.add_representer(Plain, represent_plain)
    Dumper.add_representer(str, string)
    Dumper.add_representer(bool, lambda d, b: d.represent_scalar("tag:yaml.org,2002:bool", true if b else false))
    Dumper.add_representer(type(None), lambda d, n: d.represent_scalar("tag:yaml.org,2002:null", null))
    Dumper.add_representer(dict, lambda d, m: flows(d.represent_mapping("tag:yaml.org,2002:map", m.items())))
    Dumper.add_representer(list, lambda d, l: flows(d.represent_sequence("tag:yaml.org,2002:seq", l)))
    return Dumper


def plain_values(data):
    """The same with each Plain as YAML reads it."""
    if isinstance(data, dict):
        return {key: plain_values(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain_values(value) for value in data]
    return data.value if isinstance(data, Plain) else data


def spell(rng, automations):
    """The text of a file with these automations."""
    text = yaml.dump(automations, Dumper=dumper_for(rng), sort_keys=False, allow_unicode=rng.random() < 0.5,
                     indent=rng.choice([2, 2, 4]), width=rng.choice([60, 80, 200]))
    if yaml.safe_load(text) != plain_values(automations):
        raise AssertionError(f"not the same automations:\n{text}")
    return text
