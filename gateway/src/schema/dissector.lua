local ballast = Proto("ballast", "Ballast")
local packets = Proto("ballast_packet", "Ballast market data packet")

local PREFIX_BYTES, HEADER_BYTES, PACKET_BYTES = 24, 8, 32
local ENCODING_TYPE = 0xEB50
local FRAME_FLAGS = {[0] = "possResend", "retransmit", "endOfEvent", "snapshot"}
local PACKET_TYPES = {[0] = "incremental", "snapshot", "retransmit", "heartbeat"}
local MESSAGE_FLAGS = {[0] = "startOfEvent", "endOfEvent"}

local f = {
  frameLength = ProtoField.uint32("ballast.frameLength", "frameLength"),
  encodingType = ProtoField.uint16("ballast.encodingType", "encodingType", base.HEX),
  frameFlags = ProtoField.uint16("ballast.frameFlags", "frameFlags", base.HEX),
  seqNum = ProtoField.uint64("ballast.seqNum", "seqNum"),
  sendTime = ProtoField.uint64("ballast.sendTime", "sendTime"),
  blockLength = ProtoField.uint16("ballast.blockLength", "blockLength"),
  templateId = ProtoField.uint16("ballast.templateId", "templateId"),
  schemaId = ProtoField.uint16("ballast.schemaId", "schemaId"),
  version = ProtoField.uint16("ballast.version", "version"),
  message = ProtoField.string("ballast.message", "message"),
  entryLength = ProtoField.uint16("ballast.entryLength", "entry blockLength"),
  numInGroup = ProtoField.uint16("ballast.numInGroup", "numInGroup"),
  entry = ProtoField.none("ballast.entry", "entry"),
  unknown = ProtoField.bytes("ballast.unknown", "not in this schema"),
  engineEpoch = ProtoField.uint64("ballast.packet.engineEpoch", "engineEpoch"),
  channelId = ProtoField.uint32("ballast.packet.channelId", "channelId"),
  typeBits = ProtoField.uint16("ballast.packet.typeBits", "typeBits", base.HEX),
  msgCount = ProtoField.uint16("ballast.packet.msgCount", "msgCount"),
  msgLength = ProtoField.uint16("ballast.packet.msgLength", "msgLength"),
  msgFlags = ProtoField.uint16("ballast.packet.msgFlags", "msgFlags", base.HEX),
  spare = ProtoField.uint32("ballast.packet.spare", "spare"),
}
local e = {
  malformed = ProtoExpert.new("ballast.malformed", "impossible frame", expert.group.MALFORMED, expert.severity.ERROR),
  undecoded = ProtoExpert.new("ballast.undecoded", "not in this schema", expert.group.UNDECODED, expert.severity.WARN),
}

-- One field of the filter language for each name and type of the schemas.
local fields = {}
local function declare(list)
  for _, field in ipairs(list) do
    local name, type = field[1], types[field[2]]
    local key = name .. " " .. field[2]
    if not fields[key] then
      local long = "ballast." .. name
      if type.kind == "text" then
        fields[key] = ProtoField.string(long, name)
      elseif type.kind == "bytes" or type.kind == "words" then
        fields[key] = ProtoField.bytes(long, name)
      else
        local make = ProtoField[type.primitive]
        local names = type.kind == "enum" and enums[field[2]] or type.kind == "code" and codes or nil
        fields[key] = names and make(long, name, base.DEC, names) or make(long, name)
      end
    end
  end
end
for _, schema in pairs(messages) do
  for _, message in pairs(schema) do
    declare(message.fields)
    if message.group then declare(message.group.fields) end
  end
end
local all = {}
for _, field in pairs(f) do all[#all + 1] = field end
for _, field in pairs(fields) do all[#all + 1] = field end
ballast.fields = all
ballast.experts = {e.malformed, e.undecoded}

-- An integer with its point moved, exact.
local function decimal(text, places)
  local sign, digits = text:match("^(-?)(%d+)$")
  digits = string.rep("0", places + 1 - #digits) .. digits
  local part = digits:sub(-places):gsub("0+$", "")
  return sign .. digits:sub(1, -places - 1) .. (part ~= "" and "." .. part or "")
end

local function instant(value)
  local second = UInt64.new(1000000000)
  local digits = tostring(value % second)
  return os.date("!%Y-%m-%dT%H:%M:%S", (value / second):tonumber())
    .. "." .. string.rep("0", 9 - #digits) .. digits .. "Z"
end

local function bits(value, names)
  local set = {}
  for bit = 0, 15 do
    if math.floor(value / 2 ^ bit) % 2 == 1 then set[#set + 1] = names[bit] or ("b" .. bit) end
  end
  return #set > 0 and table.concat(set, " ") or "none"
end

local function words(range, type)
  local shown, width = {}, math.floor(type.size / type.count)
  for at = 0, type.count - 1 do
    local word = range:range(at * width, width)
    shown[#shown + 1] = tostring(type.primitive == "int32" and word:le_int() or word:le_uint())
  end
  return table.concat(shown, " ")
end

local function show(tree, field, range)
  local name, type = field[1], types[field[2]]
  local item = tree:add_le(fields[name .. " " .. field[2]], range)
  if type.kind == "number" or type.kind == "decimal" or type.kind == "time" then
    if type.size == 8 then
      local value = type.primitive == "int64" and range:le_int64() or range:le_uint64()
      local text = tostring(value)
      if type.null and text == type.null then
        item:set_text(name .. ": null")
      elseif type.kind == "decimal" then
        item:set_text(name .. ": " .. decimal(text, type.places))
      elseif type.kind == "time" and text ~= "0" then
        item:set_text(name .. ": " .. instant(value) .. " (" .. text .. ")")
      end
    end
  elseif type.kind == "set" then
    item:append_text(" (" .. bits(range:le_uint(), sets[field[2]]) .. ")")
  elseif type.kind == "words" then
    item:set_text(name .. ": " .. words(range, type))
  end
end

-- The fields that `length` bytes hold; what is behind them is of a newer version.
local function block(tree, list, buffer, offset, length)
  local at = 0
  for _, field in ipairs(list) do
    local size = types[field[2]].size
    if at + size > length then break end
    show(tree, field, buffer:range(offset + at, size))
    at = at + size
  end
  if at < length then
    tree:add(f.unknown, buffer:range(offset + at, length - at)):add_proto_expert_info(e.undecoded)
  end
end

local function group(tree, known, buffer, offset, limit)
  if offset + 4 > limit then
    tree:add_proto_expert_info(e.malformed, "no room for a group")
    return limit
  end
  local length, count = buffer:range(offset, 2):le_uint(), buffer:range(offset + 2, 2):le_uint()
  tree:add_le(f.entryLength, buffer:range(offset, 2))
  tree:add_le(f.numInGroup, buffer:range(offset + 2, 2))
  offset = offset + 4
  if offset + length * count > limit then
    tree:add_proto_expert_info(e.malformed, "a group beyond the end of its message")
    return limit
  end
  for number = 1, count do
    local entry = tree:add(f.entry, buffer:range(offset, length))
    entry:set_text(known.name .. " " .. number)
    block(entry, known.fields, buffer, offset, length)
    offset = offset + length
  end
  return offset
end

-- Header and block of one message, which ends at `limit`. Returns its name.
local function message(tree, buffer, offset, limit)
  local template = buffer:range(offset + 2, 2):le_uint()
  local known = (messages[buffer:range(offset + 4, 2):le_uint()] or {})[template]
  local name = known and known.name or ("template " .. template)
  local body = tree:add(f.message, buffer:range(offset, limit - offset), name)
  body:set_text(name)
  body:add_le(f.blockLength, buffer:range(offset, 2))
  body:add_le(f.templateId, buffer:range(offset + 2, 2))
  body:add_le(f.schemaId, buffer:range(offset + 4, 2))
  body:add_le(f.version, buffer:range(offset + 6, 2))
  local length = buffer:range(offset, 2):le_uint()
  offset = offset + HEADER_BYTES
  if offset + length > limit then
    body:add_proto_expert_info(e.malformed, "a block beyond the end of its message")
    return name
  end
  block(body, known and known.fields or {}, buffer, offset, length)
  offset = offset + length
  if known and known.group then offset = group(body, known.group, buffer, offset, limit) end
  if offset < limit then
    body:add(f.unknown, buffer:range(offset, limit - offset)):add_proto_expert_info(e.undecoded)
  end
  return name
end

local function frame(buffer, pinfo, root)
  local length = buffer:len()
  local tree = root:add(ballast, buffer(0, length))
  if length < PREFIX_BYTES + HEADER_BYTES or buffer(4, 2):le_uint() ~= ENCODING_TYPE then
    tree:add_proto_expert_info(e.malformed)
    return length
  end
  tree:add_le(f.frameLength, buffer(0, 4))
  tree:add_le(f.encodingType, buffer(4, 2))
  tree:add_le(f.frameFlags, buffer(6, 2)):append_text(" (" .. bits(buffer(6, 2):le_uint(), FRAME_FLAGS) .. ")")
  tree:add_le(f.seqNum, buffer(8, 8))
  tree:add_le(f.sendTime, buffer(16, 8)):append_text(" (" .. instant(buffer(16, 8):le_uint64()) .. ")")
  local name = message(tree, buffer, PREFIX_BYTES, length)
  tree:append_text(", " .. name)
  pinfo.cols.protocol = "Ballast"
  pinfo.cols.info:append(" " .. name)
  return length
end

local function frame_length(buffer, pinfo, offset)
  local length = buffer:range(offset, 4):le_uint()
  -- An impossible length ends the stream for us: take what is there.
  if length < PREFIX_BYTES + HEADER_BYTES then return buffer:len() - offset end
  return length
end

function ballast.dissector(buffer, pinfo, root)
  pinfo.cols.info:clear()
  if pinfo.port_type ~= 2 then return frame(buffer, pinfo, root) end
  dissect_tcp_pdus(buffer, root, 4, frame_length, frame)
  return buffer:len()
end

function packets.dissector(buffer, pinfo, root)
  local length = buffer:len()
  local tree = root:add(packets, buffer(0, length))
  pinfo.cols.protocol = "Ballast MD"
  pinfo.cols.info:clear()
  if length < PACKET_BYTES then
    tree:add_proto_expert_info(e.malformed)
    return length
  end
  tree:add_le(f.seqNum, buffer(0, 8))
  tree:add_le(f.sendTime, buffer(8, 8)):append_text(" (" .. instant(buffer(8, 8):le_uint64()) .. ")")
  tree:add_le(f.engineEpoch, buffer(16, 8))
  tree:add_le(f.channelId, buffer(24, 4))
  tree:add_le(f.typeBits, buffer(28, 2)):append_text(" (" .. bits(buffer(28, 2):le_uint(), PACKET_TYPES) .. ")")
  tree:add_le(f.msgCount, buffer(30, 2))
  local offset = PACKET_BYTES
  for _ = 1, buffer(30, 2):le_uint() do
    local size = offset + 16 <= length and buffer(offset, 2):le_uint() or 0
    if size < 16 or offset + size > length then
      tree:add_proto_expert_info(e.malformed, "a message beyond the end of its packet")
      return length
    end
    tree:add_le(f.msgLength, buffer(offset, 2))
    tree:add_le(f.msgFlags, buffer(offset + 2, 2)):append_text(" (" .. bits(buffer(offset + 2, 2):le_uint(), MESSAGE_FLAGS) .. ")")
    tree:add_le(f.spare, buffer(offset + 4, 4))
    pinfo.cols.info:append(" " .. message(tree, buffer, offset + 8, offset + size))
    offset = offset + size
  end
  if offset < length then
    tree:add(f.unknown, buffer(offset, length - offset)):add_proto_expert_info(e.undecoded)
  end
  return length
end

-- On any TCP port: what begins with a frame is one.
local function is_frame(buffer, pinfo, root)
  if buffer:len() < 6 or buffer(4, 2):le_uint() ~= ENCODING_TYPE then return false end
  pinfo.conversation = ballast
  ballast.dissector(buffer, pinfo, root)
  return true
end

DissectorTable.get("tcp.port"):add(7701, ballast)
DissectorTable.get("udp.port"):add(7702, packets)
-- What `ballast journal export --format pcapng` writes.
DissectorTable.get("wtap_encap"):add((wtap or wtap_encaps).USER0, ballast)
ballast:register_heuristic("tcp", is_frame)
