// ioredis drives Sumun: ioredis.cjs ADDRESS CUTTING_ADDRESS PROTOCOL. Prints one line that begins with `ok`.
'use strict';

const { Redis } = require('ioredis');
const { version } = require('ioredis/package.json');
const common = require('./common.cjs');

function connect(address, protocol) {
  const [host, port] = address.split(':');
  const client = new Redis({ host, port: Number(port), protocol });
  // Without a listener a lost connection is printed; the calls themselves say what came of them.
  client.on('error', () => {});
  return client;
}

common.run(async (address, cutting, protocol) => {
  const client = connect(address, protocol);
  const through = connect(cutting, protocol);
  const call = (words) => client.call(...words);
  const seen = await common.verbs(call);
  seen.error = await common.refusal(call);

  const transaction = client.multi();
  for (const words of common.TRANSACTION) transaction.call(...words);
  // [error, reply] each
  common.judgeTransaction((await transaction.exec()).map(([error, reply]) => error ?? reply));

  const pipeline = client.pipeline();
  for (const words of common.THOUSAND) pipeline.call(...words);
  common.judgeThousand((await pipeline.exec()).map(([error, reply]) => error ?? reply));

  const inTransaction = async (commands) => {
    const transaction = through.multi();
    for (const words of commands) transaction.call(...words);
    return (await transaction.exec()).map(([error, reply]) => error ?? reply);
  };
  seen.again = await common.cut(call, (words) => through.call(...words), inTransaction);
  client.disconnect();
  through.disconnect();
  return common.say('ioredis', version, protocol, seen);
});
