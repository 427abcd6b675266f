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

async function main() {
  setInterval(() => {}, 1000); // Waiting for a signal keeps no process alive.
  fs.writeFileSync('/tmp/x', 'temporary');
  fs.writeFileSync('/app/ü', 'text ✓');
  const child = childProcess.spawnSync('sh', ['-c', 'echo "$LANG ✓"; exit 7']);
  const registry = process.env.REGISTRY;
  console.log(JSON.stringify({
    cpus: os.cpus().length,
    totalmem: os.totalmem(),
    heap: require('v8').getHeapStatistics().heap_size_limit,
    parallelism: os.availableParallelism(),
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
    worker: await worker(),
    served: await served(),
    signal: await signalled(),
    resolved: registry && await resolves(new URL(registry).hostname),
    reached: registry && await reaches(registry),
  }));
  process.exit(5);
}

if (isMainThread) main();
else parentPort.postMessage('from the thread');
