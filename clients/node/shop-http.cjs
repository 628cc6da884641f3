// A shop's checkout over HTTP: shop-http.cjs [ADDRESS]. Each line it reads is `ORDER CUSTOMER SKU QUANTITY [TTL_MS]`.
'use strict';

const { createInterface } = require('node:readline');
const { setTimeout: sleep } = require('node:timers/promises');

const PATIENCE_MS = 30_000; // how long one call may take, all its attempts together
const TTL_MS = 600_000; // how long a customer has to pay

const base = `http://${process.argv[2] ?? '127.0.0.1:7080'}/v1`;

// The answer is no, and asking again will not change it.
class Refused extends Error {
  constructor(problem) {
    super(problem.detail);
    this.code = problem.code;
    this.lines = problem.lines ?? [];
  }
}

// Posts until it is answered, the same body each time: the id in it makes that safe.
async function call(path, body) {
  const giveUp = Date.now() + PATIENCE_MS;
  for (let pause = 50; ; pause = Math.min(pause * 2, 2_000)) {
    let failed;
    let wait = pause;
    try {
      const answer = await fetch(base + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(5_000),
      });
      const json = await answer.json();
      if (answer.ok) return json;
      failed = new Refused(json);
      if (!json.retryable) throw failed; // true of 503 alone
      wait = Math.max(json.retry_after_ms, pause);
    } catch (error) {
      if (error === failed) throw error;
      failed = error; // no answer: it may or may not have been done
    }
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
  const path = `/reservations/${encodeURIComponent(order)}`;
  const lines = [{ sku, quantity: Number(quantity) }];
  let held;
  try {
    held = await call('/reservations', { id: order, holder: customer, ttl_ms: Number(ttlMs), lines });
  } catch (no) {
    if (no.code === 'insufficient_stock') return `sold out, ${no.lines[0].available} left`;
    if (no.code === 'limit_exceeded') return `over the limit, ${no.lines[0].left} left`;
    if (no.code === 'expired' || no.code === 'already_released') return 'ended before'; // a new attempt is a new order
    throw no;
  }
  if (held.state === 'captured') return 'sold'; // an earlier run of this program came this far
  if (!(await pay(order))) {
    await call(`${path}/release`, {});
    return 'cancelled';
  }
  try {
    await call(`${path}/capture`, {});
  } catch (no) {
    // Paid too late: the units are somebody else's by now.
    if (no.code === 'expired' || no.code === 'already_released') return 'too late, refunded';
    throw no;
  }
  return 'sold';
}

async function main() {
  for (let line = await read(); line !== undefined; line = await read()) {
    const order = line.split(' ');
    console.log(order[0], await buy(...order));
  }
}

main();
