"""Reads /metrics as OpenMetrics says, strictly, and tells each family on a line: name, type, unit, whether it has help."""

import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

for family in text_string_to_metric_families(sys.stdin.read()):
    unit = family.unit or "-"
    print(family.name, family.type, unit, len(family.samples), family.documentation)
