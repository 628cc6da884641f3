// What both Node clients do: the verbs, an error, a transaction, a pipeline, and a connection that is cut. A client is
// given as functions, so that each file says only how its library is spoken to.
'use strict';

const assert = require('node:assert/strict');

// A map: RESP2 shows it as a flat array, RESP3 as an object or a Map, as the library likes.
function entries(reply) {
  if (reply instanceof Map) return Object.fromEntries(reply);
  if (!Array.isArray(reply)) return reply;
  const out = {};
  for (let i = 0; i < reply.length; i += 2) out[reply[i]] = reply[i + 1];
  return out;
}

const shapeOf = (reply) => (Array.isArray(reply) ? 'Array' : reply instanceof Map ? 'Map' : 'Object');

async function verbs(call) {
  const say = (command) => call(command.split(' '));
  const state = async (command) => entries(await say(command)).state;
  assert.equal(await call(['CONFIGURE', 'shirt', 'LIMIT', '100000', 'METADATA', '{"n": 1}']), 0);
  assert.equal(await say('RECEIVE shirt 100000 ID m1'), 100000);
  assert.equal(await say('RECEIVE shirt 100000 ID m1'), 100000);
  assert.equal(await say('RECEIVE hat 1 ID m1'), 1);
  assert.equal(await say('ADJUST shirt -1000 REASON broken ID m2'), 99000);
  for (const replayed of [0, 1]) {
    const held = entries(await say('RESERVE r1 60000 1 shirt 5 FOR kim'));
    assert.deepEqual([held.state, held.replayed], ['held', replayed]);
  }
  assert.equal(await state('EXTEND r1 120000'), 'held');
  assert.equal(await state('CAPTURE r1 1 shirt 2 ID c1'), 'held');
  assert.equal(await state('RELEASE r1 1 shirt 1 ID x1'), 'held');
  assert.equal(await state('RETURN r1 1 shirt 1 ID t1'), 'held');
  assert.equal(await state('CAPTURE r1'), 'captured');
  assert.equal(entries(await say('RELEASE gone')).tombstone, 1);
  const record = entries(await say('RESERVATION r1'));
  const line = entries(record.lines[0]);
  assert.deepEqual([record.state, line.captured, line.released, line.returned], ['captured', 4, 1, 1]);
  const item = await say('ITEM shirt');
  assert.equal(entries(item).on_hand, 98997);
  assert.equal(entries(entries(item).limit).quantity, 100000);
  assert.equal(entries(item).metadata, '{"n": 1}');
  const none = await say('ITEM nosuch');
  assert.equal(none, null);
  return { map: shapeOf(item), null: String(none) };
}

async function refusal(call) {
  try {
    await call('RESERVE r2 60000 1 hat 2'.split(' '));
  } catch (error) {
    assert.equal(error.message, 'INSUFFICIENT hat wanted 2 available 1');
    return error.constructor.name;
  }
  throw new Error('a refusal is an error');
}

// `replies` are those of three commands in a transaction: held, refused, item.
function judgeTransaction([held, refused, item]) {
  assert.equal(entries(held).state, 'held');
  assert.ok(refused instanceof Error);
  assert.equal(refused.message, 'INSUFFICIENT hat wanted 1 available 0');
  assert.equal(entries(item).reserved, 1);
}
const TRANSACTION = ['RESERVE t1 60000 1 hat 1', 'RESERVE t2 60000 1 hat 1', 'ITEM hat'].map((c) => c.split(' '));

const THOUSAND = Array.from({ length: 1000 }, (_, n) => `RESERVE p${n} 60000 1 shirt 1 FOR kim`.split(' '));
function judgeThousand(replies) {
  assert.equal(replies.length, 1000);
  let last = 0;
  for (const reply of replies.map(entries)) {
    assert.equal(reply.state, 'held');
    assert.ok(reply.sequence > last);
    last = reply.sequence;
  }
}

// The connection is cut after the request was forwarded: sent again, by the library or by us, it has one effect.
// `transaction` does two commands in one and gives their replies.
async function cut(call, callThrough, transaction) {
  const [one, again] = await twice(() => callThrough('RESERVE cut-one 60000 1 shirt 1 FOR kim'.split(' ')));
  assert.deepEqual([entries(one).state, entries(one).replayed], ['held', 1]);
  assert.equal(entries(await call(['ITEM', 'shirt'])).reserved, 1001);
  const commands = [['RESERVE', 'cut-all', '60000', '1', 'shirt', '1', 'FOR', 'kim'], ['ITEM', 'shirt']];
  const [all, againAll] = await twice(() => transaction(commands));
  assert.equal(entries(all[0]).state, 'held');
  assert.equal(entries(await call(['ITEM', 'shirt'])).reserved, 1002);
  return `again=${again} transaction-again=${againAll}`;
}

// Does it again when the library gives up, and says who sent again: the library (`yes`) or we (`no`).
async function twice(action) {
  try {
    return [await action(), 'yes'];
  } catch {
    return [await action(), 'no'];
  }
}

function run(main) {
  const [address, cutting, protocol] = process.argv.slice(2);
  main(address, cutting, Number(protocol)).then(
    (line) => console.log(`ok ${line}`),
    (error) => {
      console.error(error);
      process.exitCode = 1;
      process.exit();
    },
  );
}

const say = (name, version, protocol, seen) =>
  `${name} ${version} resp${protocol} map=${seen.map} null=${seen.null} error=${seen.error} ${seen.again}`;

module.exports = { TRANSACTION, THOUSAND, cut, judgeThousand, judgeTransaction, refusal, run, say, verbs };
