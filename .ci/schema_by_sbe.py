"""Every message through the package `sbe` of PyPI, which knows nothing of us but the XML: decoded, encoded, the same bytes, and the same
values as the Python client's constants have. Usage: schema_by_sbe.py ORDER_ENTRY_XML MARKET_DATA_XML"""

import sys

import sbe

import frames

schemas = {}
for path in sys.argv[1:]:
    with open(path) as file:
        parsed = sbe.Schema.parse(file)
    schemas[int(parsed.id)] = parsed

count = 0
for layout, data, blocks in frames.messages():
    parsed = schemas[layout.schema]
    decoded = parsed.decode(data)
    assert decoded.message_name == layout.name, f"{layout.name} is {decoded.message_name}"
    for field in layout.fields:
        if field.kind in ("number", "decimal9", "decimal6", "time", "code") and not field.name[-1].isdigit():
            first, *rest = field.name.split("_")
            found = decoded.value[first + "".join(part.capitalize() for part in rest)]
            wanted = blocks[0][field.name]
            assert found == (None if wanted == field.null else wanted), f"{layout.name}.{field.name}: {found}"
    again = bytes(parsed.encode(parsed.messages[layout.template], decoded.value))
    assert again == data, f"{layout.name} is encoded otherwise"
    count += 1
print(f"sbe: {count} messages of {len(frames.schema.LAYOUTS)} layouts, the same values and bytes")
