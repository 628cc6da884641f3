// node-redis drives Sumun: node-redis.cjs ADDRESS CUTTING_ADDRESS PROTOCOL. Prints one line that begins with `ok`.
'use strict';

const { createClient } = require('redis');
const { version } = require('redis/package.json');
const common = require('./common.cjs');

async function connect(address, protocol) {
  const client = createClient({ url: `redis://${address}`, RESP: protocol });
  // The library demands a listener; the calls themselves say what came of a lost connection.
  client.on('error', () => {});
  return client.connect();
}

common.run(async (address, cutting, protocol) => {
  const client = await connect(address, protocol);
  const through = await connect(cutting, protocol);
  const call = (words) => client.sendCommand(words);
  const seen = await common.verbs(call);
  seen.error = await common.refusal(call);

  const transaction = client.multi();
  for (const words of common.TRANSACTION) transaction.addCommand(words);
  let replies;
  try {
    replies = await transaction.exec();
  } catch (error) {
    // The library rejects a transaction of which one command was refused; all the replies are with the error.
    replies = error.replies;
  }
  common.judgeTransaction(replies);

  // Commands of one tick are one pipeline.
  common.judgeThousand(await Promise.all(common.THOUSAND.map(call)));

  const inTransaction = (commands) => {
    const transaction = through.multi();
    for (const words of commands) transaction.addCommand(words);
    return transaction.exec();
  };
  seen.again = await common.cut(call, (words) => through.sendCommand(words), inTransaction);
  client.destroy();
  through.destroy();
  return common.say('node-redis', version, protocol, seen);
});
