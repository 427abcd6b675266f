// Runs in a zone: what a Node.js developer expects of a computer, as one JSON object.
'use strict';
const childProcess = require('child_process');
const dns = require('dns').promises;
const fs = require('fs');
const http = require('http');
const os = require('os');
const { isMainThread, parentPort, Worker } = require('worker_threads');

const once = (emitter, event) => new Promise((resolve) => emitter.once(event, resolve));

async function watched() {
  const watcher = fs.watch('/app');
  const change = once(watcher, 'change');
  fs.writeFileSync('/app/watched', 'x');
  await change;
  watcher.close();
  return true;
}

// Below folders, and by what another process writes there.
async function watchedBelow() {
  fs.mkdirSync('/app/deep/er', { recursive: true });
  const watcher = fs.watch('/app/deep', { recursive: true });
  const named = new Promise((resolve) => watcher.on('change', (_, name) => {
    if (name === 'er/file') resolve(name);
  }));
  childProcess.execSync('echo x > /app/deep/er/file');
  const name = await named;
  watcher.close();
  return name;
}

// SIGTERM as a server meets it, an unhandled end, and a child that outlives nobody's wait.
async function children() {
  const script = "process.on('SIGTERM', () => process.exit(9)); console.log('up'); setInterval(() => {}, 1e3)";
  const child = childProcess.spawn(process.execPath, ['-e', script]);
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  const handled = await once(child, 'exit');
  const killed = childProcess.spawn('sleep', ['1000']);
  killed.kill('SIGKILL');
  const signal = await new Promise((resolve) => killed.once('exit', (_, name) => resolve(name)));
  const forked = childProcess.fork('/app/echo.cjs');
  forked.send('ping');
  const answer = await once(forked, 'message');
  forked.disconnect();
  return [handled, signal, answer];
}

// A dependency with a compiled addon, which must be the one that is used (it has a slow twin).
function native(folder) {
  const addon = require(`${folder}/node_modules/node-gyp-build`)(`${folder}/node_modules/bufferutil`);
  const [source, mask, output] = [Buffer.from('text'), Buffer.from([1, 2, 3, 4]), Buffer.alloc(4)];
  addon.mask(source, mask, output, 0, 4);
  const loaded = process.report.getReport().sharedObjects.filter((name) => name.endsWith('.node'));
  return [[...output].map((byte, at) => byte ^ mask[at]), loaded.length];
}

function fill(folder) {
  fs.writeFileSync(`${folder}/fits`, Buffer.alloc(1 << 20));
  try {
    const file = fs.openSync(`${folder}/full`, 'w');
    for (let count = 0; count < 256; count += 1) {
      fs.writeSync(file, Buffer.alloc(1 << 20));
      fs.fsyncSync(file);
    }
    return 'no end';
  } catch (error) { return -error.errno; } // libuv has no name for EDQUOT.
}

async function worker() {
  const thread = new Worker(__filename === '[eval]' ? process.env.SCRIPT : __filename, { eval: true });
  return once(thread, 'message');
}

async function served() {
  const server = http.createServer((request, response) => response.end('own'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const answer = await fetch(`http://localhost:${server.address().port}/`);
  const text = await answer.text();
  server.close();
  return text;
}

async function signalled() {
  const received = once(process, 'SIGUSR2');
  process.kill(process.pid, 'SIGUSR2');
  return received;
}

async function resolves(name) {
  try { return (await dns.lookup(name)).address; } catch (error) { return error.code; }
}

async function reaches(url) {
  try { return (await fetch(url)).status; } catch (error) { return String(error.cause || error); }
}

// Of the computer, by all the names that Node.js has for it.
const SIZE = `({
  total: os.totalmem(), constrained: process.constrainedMemory(), text: Number(os.totalmem + 0),
  cpus: os.cpus().length, parallel: os.availableParallelism(), browser: navigator.hardwareConcurrency,
})`;
const size = () => eval(SIZE);

// In a child, a module of the other kind, a thread, and a cluster's worker.
async function elsewhere() {
  const prints = `console.log(JSON.stringify(${SIZE}))`;
  fs.writeFileSync('/tmp/size.cjs', `const os = require('node:os'); ${prints}`);
  fs.writeFileSync('/tmp/size.mjs', `import * as os from 'os'; ${prints}`);
  fs.writeFileSync('/tmp/cluster.cjs', `const cluster = require('cluster'); const os = require('os');
    if (cluster.isPrimary) cluster.fork(); else { ${prints}; process.exit(); }`);
  const run = (file) => JSON.parse(childProcess.execFileSync(process.execPath, [file]));
  const source = `const os = require('os'); require('worker_threads').parentPort.postMessage(${SIZE})`;
  const thread = await once(new Worker(source, { eval: true }), 'message');
  return [thread, ...['cjs', 'mjs'].map((kind) => run(`/tmp/size.${kind}`)), run('/tmp/cluster.cjs')];
}

// What is free falls by what is taken, in this process, in another one and on file systems in memory.
async function taken() {
  const before = os.freemem();
  const kept = Buffer.alloc(32 << 20, 1);
  const own = before - os.freemem();
  const script = "globalThis.kept = Buffer.alloc(32 << 20, 1); console.log('up'); setInterval(() => {}, 1e3)";
  const child = childProcess.spawn(process.execPath, ['-e', script]);
  await once(child.stdout, 'data');
  const both = before - os.freemem();
  child.kill('SIGKILL');
  await once(child, 'exit');
  const alone = os.freemem();
  childProcess.execSync('head -c 16M /dev/zero > /tmp/large');
  const file = alone - os.freemem();
  fs.unlinkSync('/tmp/large');
  return { before, own: own >> 20, both: both >> 20, file: file >> 20, kept: kept.length,
    available: process.availableMemory() };
}

async function main() {
  setInterval(() => {}, 1000); // Waiting for a signal keeps no process alive.
  fs.writeFileSync('/tmp/x', 'temporary');
  fs.writeFileSync('/app/ü', 'text ✓');
  fs.writeFileSync('/app/echo.cjs', "process.on('message', (message) => process.send(message + 'ed'))");
  const child = childProcess.spawnSync('sh', ['-c', 'echo "$LANG ✓"; exit 7']);
  const registry = process.env.REGISTRY;
  console.log(JSON.stringify({
    size: size(),
    sizes: await elsewhere(),
    heap: require('v8').getHeapStatistics().heap_size_limit,
    temporary: fs.readFileSync(os.tmpdir() + '/x', 'utf8'),
    home: os.homedir(),
    user: os.userInfo().username,
    hostname: os.hostname(),
    names: fs.readdirSync('/app').filter((name) => name === 'ü'),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    berlin: new Date(0).toLocaleString('de-DE', { timeZone: 'Europe/Berlin' }),
    system: childProcess.execSync('TZ=Europe/Berlin date -d @0 +%H').toString().trim(),
    locale: childProcess.execSync('locale charmap').toString().trim(),
    child: [child.stdout.toString(), child.status],
    watched: await watched(),
    below: await watchedBelow(),
    children: await children(),
    native: registry && native('/app'),
    taken: await taken(),
    lists: new Intl.ListFormat('de').format(['a', 'b', 'c']),
    collated: ['z', 'ä', 'a'].sort(new Intl.Collator('de').compare),
    worker: await worker(),
    served: await served(),
    signal: await signalled(),
    resolved: registry && await resolves(new URL(registry).hostname),
    reached: registry && await reaches(registry),
    filled: fill('/app'),
    full: fill('/tmp'),
  }));
  process.exit(5);
}

if (isMainThread) main();
else parentPort.postMessage('from the thread');
