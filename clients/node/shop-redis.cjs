// A shop's checkout over RESP: shop-redis.cjs [ADDRESS]. Each line it reads is `ORDER CUSTOMER SKU QUANTITY [TTL_MS]`.
'use strict';

const { createInterface } = require('node:readline');
const { setTimeout: sleep } = require('node:timers/promises');
const { createClient } = require('redis');

const PATIENCE_MS = 30_000; // how long one call may take, all its attempts together
const TTL_MS = 600_000; // how long a customer has to pay

// RESP3 makes a map an object. Without a connection a command fails at once instead of waiting in a queue.
const sumun = createClient({
  url: `redis://${process.argv[2] ?? '127.0.0.1:6380'}`,
  RESP: 3,
  disableOfflineQueue: true,
  socket: { connectTimeout: 2_000, reconnectStrategy: (retries) => Math.min(50 * 2 ** retries, 2_000) },
});
sumun.on('error', () => {}); // the calls themselves say what came of it

// The answer is no, and asking again will not change it.
class Refused extends Error {
  constructor(text) {
    super(text);
    const words = text.split(' ');
    this.word = words[0];
    this.last = words.at(-1);
  }
}

// Sends a command until it is answered, the same words each time: the id in them makes that safe.
async function call(...words) {
  const giveUp = Date.now() + PATIENCE_MS;
  for (let pause = 50; ; pause = Math.min(pause * 2, 2_000)) {
    let failed;
    let wait = pause;
    try {
      return await sumun.sendCommand(words.map(String), { timeout: 5_000 });
    } catch (error) {
      failed = error;
    }
    // An upper-case first word is the server's answer; anything else is a connection that was lost.
    const word = /^[A-Z]+(?= |$)/.exec(failed.message)?.[0];
    if (word === 'OVERLOADED') wait = Math.max(Number(/after (\d+) ms/.exec(failed.message)[1]), pause);
    else if (word && word !== 'LOADING' && word !== 'MISCONF') throw new Refused(failed.message);
    wait *= 1 + Math.random() / 2;
    if (Date.now() + wait > giveUp) throw failed;
    await sleep(wait);
  }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => (await lines.next()).value;

// Stands for your payment provider, who gets the order's id as its own idempotency key.
async function pay(order) {
  console.log('pay', order);
  return (await read()) === 'paid';
}

async function buy(order, customer, sku, quantity, ttlMs = TTL_MS) {
  let held;
  try {
    held = await call('RESERVE', order, ttlMs, 1, sku, quantity, 'FOR', customer);
  } catch (no) {
    if (no.word === 'INSUFFICIENT') return `sold out, ${no.last} left`;
    if (no.word === 'LIMIT') return `over the limit, ${no.last} left`;
    if (no.word === 'EXPIRED' || no.word === 'RELEASED') return 'ended before'; // a new attempt is a new order
    throw no;
  }
  if (held.state === 'captured') return 'sold'; // an earlier run of this program came this far
  if (!(await pay(order))) {
    await call('RELEASE', order);
    return 'cancelled';
  }
  try {
    await call('CAPTURE', order);
  } catch (no) {
    // Paid too late: the units are somebody else's by now.
    if (no.word === 'EXPIRED' || no.word === 'RELEASED') return 'too late, refunded';
    throw no;
  }
  return 'sold';
}

async function main() {
  await sumun.connect();
  for (let line = await read(); line !== undefined; line = await read()) {
    const order = line.split(' ');
    console.log(order[0], await buy(...order));
  }
  sumun.destroy();
}

main();
