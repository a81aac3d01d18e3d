#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The store's script leans on no Lua but what all versions share: a long record
# of calls and of what a Redis answered is played again in plain Lua 5.1 and
# 5.4, on a stand-in for Redis; answers, and what the keys hold in the end, are
# the same.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Temp ();
use Test::More;
use AuthGuard::Redis;
use AuthGuard::RedisTool;

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my @luas = grep { defined } map { my $name = $_;
    (grep { -x } map { "$_/$name" } split /:/, $ENV{PATH})[0] }
  qw(lua5.1 lua5.4);
plan skip_all => 'lua5.1 and lua5.4 are not both here' if @luas < 2;

my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $redis = AuthGuard::Redis->new->start;
my $record = AuthGuard::RedisTool::build('redis_record', $dir);

is(system("'$record' '" . $redis->path . "' >'$dir/record.lua'"), 0,
    'a record of what Redis answers');

# A global that is set, or read and not there, is an error, as in Redis. The
# script is given what Lua 5.1 and 5.4 both have, and no more.
my $player = <<'LUA';
dofile(arg[1])
local keys = {}

local function text(value)
    if type(value) == 'number' and (math.type or type)(value) ~= 'float' then
        value = tostring(value)
    end
    assert(type(value) == 'string', 'not a string')
    return value
end

local commands = {
    HMGET = function(key, ...)
        local got = {}
        for i, field in ipairs({ ... }) do
            got[i] = keys[key] and keys[key][text(field)] or false
        end
        return got
    end,
    HSET = function(key, ...)
        local set = { ... }
        keys[key] = keys[key] or {}
        for i = 1, #set, 2 do
            keys[key][text(set[i])] = text(set[i + 1])
        end
    end,
    DEL = function(key)
        keys[key] = nil
    end,
    PEXPIRE = function(key, ms)
        assert(string.find(text(ms), '^%d+$'), 'not a whole number')
    end,
    TIME = function()
        return { '1764000000', '000345' }
    end,
    PUBLISH = function(channel, word)
        assert(channel == 'authguard:events', channel)
    end,
}

local world = { math = math, string = string, tonumber = tonumber,
    next = next, KEYS = {}, ARGV = {}, redis = {
        call = function(name, ...)
            return commands[name](...)
        end } }
setmetatable(world, {
    __index = function(_, name) error('no ' .. name) end,
    __newindex = function(_, name) error(name .. ' is set') end })

local script
if setfenv then
    script = setfenv(assert(loadstring(TEXT)), world)
else
    script = assert(load(TEXT, 'script', 't', world))
end

for n, step in ipairs(STEPS) do
    world.KEYS[1] = step[1]
    world.ARGV = step[2]
    local answer = script()
    assert(#answer == #step[3], n .. ': another length')
    for i, value in ipairs(step[3]) do
        assert(answer[i] == value, string.format('step %d, %s: value %d is %s,'
            .. ' not %s', n, step[2][1], i, tostring(answer[i]),
            tostring(value)))
    end
end
for key, fields in pairs(LEFT) do
    for field, value in pairs(fields) do
        assert((keys[key] or {})[field] == value, key .. ' ' .. field)
    end
    for field in pairs(keys[key] or {}) do
        assert(fields[field], key .. ' has ' .. field)
    end
end

-- In the end by Redis' own clock.
world.KEYS[1] = 'authguard:{00000000000000ff}'
world.ARGV = { 'peek', '0' }
assert(string.format('%d', script()[1]) == '1764000000000345', 'the clock')
print(_VERSION .. ': ' .. #STEPS .. ' steps')
LUA

open(my $out, '>', "$dir/player.lua") or die "$dir/player.lua: $!";
print $out $player;
close $out;
for my $lua (@luas) {
    my $said = `'$lua' '$dir/player.lua' '$dir/record.lua' 2>&1`;

    like($said, qr/\ALua 5\.\d: 2500 steps\n\z/, "$lua answers as Redis does");
}

done_testing;
