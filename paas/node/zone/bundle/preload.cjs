'use strict';
// Loaded before every Node.js program of an instance or a build by NODE_OPTIONS=--require, to tell it
// the package's size instead of the host's. In web instances it makes the fast path as well: the first
// HTTP server that listens on $PORT also accepts on descriptor 3, a listening Unix socket that the host
// made and owns; the app's own TCP port stays as it is. What happens is reported on descriptor 4, a
// FIFO, one JSON object a line. Both are handed on to child processes, since the server of many apps is
// one (cross-env, tsx, nodemon).
// Whatever goes wrong here must never reach the app: every entry point is guarded.

(() => {
  // Deno obeys NODE_OPTIONS too, but a program there has only the permissions that it was given.
  if (typeof Deno !== 'undefined') return;
  const FIRST = 3;
  const HANDED_FROM = 10;
  const SEARCHED_MAX = 32;
  const BACKLOG = 511;
  const FLUSH_DELAY_MS = 1500;
  const MEASURE_INTERVAL_MS = 10000;
  const BUSY = 0.01;
  const COLLECT_BYTES_MAX = 384 * 1024 * 1024;
  const PEER = Object.freeze({ address: '127.0.0.1', family: 'IPv4', port: 1 });
  // "<inode of the listener>:<inode of the FIFO>:<port>": in a child process the descriptors may have
  // other numbers, or be something else, and PORT may be another's.
  const [LISTENER_INODE, REPORTS_INODE, OWN_PORT] =
    (process.env.SMARTPLATFORM_DESCRIPTORS || '').split(':');
  const PORT = Number(OWN_PORT);

  const guarded = (action) => (...args) => {
    try { return action(...args); } catch { return undefined; }
  };
  const fs = require('fs');
  // As bigint: Node keeps the numbers of the last plain stat, and its realpath stops at a folder that it
  // knows when these are a socket's or a FIFO's. The next module behind a link (npm, a workspace) was lost.
  const isOurs = (descriptor, inode) => {
    try { return String(fs.fstatSync(descriptor, { bigint: true }).ino) === inode; } catch { return false; }
  };
  const find = (inode) => {
    if (!inode) return -1;
    for (let number = FIRST; number < SEARCHED_MAX; number += 1) {
      if (isOurs(number, inode)) return number;
    }
    return -1;
  };
  const LISTENER = find(LISTENER_INODE);
  const REPORTS = find(REPORTS_INODE);
  const report = guarded((message) => {
    if (REPORTS >= 0 && isOurs(REPORTS, REPORTS_INODE)) {
      fs.writeSync(REPORTS, JSON.stringify(message) + '\n');
    }
  });

  const flushCompileCache = guarded(() => {
    const { flushCompileCache: flush } = require('module');
    if (typeof flush === 'function') flush();
  });

  const reportListening = () => report({ type: 'listening', backlog: BACKLOG });

  // A cluster's workers share the primary's listener: node:cluster passes handles by number. They have
  // no FIFO (Node closes what it inherited for its children), so the primary reports.
  let accepting = LISTENER;
  const acceptsHere = guarded(() => {
    const cluster = require('cluster');
    if (cluster.isWorker) accepting = Number(process.env.SMARTPLATFORM_PRIMARY || -1);
    else if (LISTENER >= 0) {
      process.env.SMARTPLATFORM_PRIMARY = String(LISTENER);
      cluster.on('listening', (_, info) => info.fd === LISTENER && reportListening());
    } else delete process.env.SMARTPLATFORM_PRIMARY;
    return accepting >= 0;
  });

  const isPlainHttp = (server) =>
    'requestTimeout' in server && typeof server.setSecureContext !== 'function';

  const adopt = guarded((server, twin, socket) => {
    // Counted as the server's own, so that close() waits for the requests in flight here too.
    socket._server = server;
    socket.server = server;
    server._connections += 1;
    twin._connections -= 1;
    socket._peername = PEER;
    if (socket.remoteAddress !== PEER.address) {
      Object.defineProperty(socket, 'remoteAddress', { value: PEER.address });
      Object.defineProperty(socket, 'remoteFamily', { value: PEER.family });
      Object.defineProperty(socket, 'remotePort', { value: PEER.port });
    }
    Object.defineProperty(socket, 'localAddress', { value: PEER.address });
    Object.defineProperty(socket, 'localPort', { value: PORT });
  });

  let twin = null;
  const accept = guarded((server) => {
    if (twin || !server.listening) return;
    const net = require('net');
    const mine = new net.Server({ allowHalfOpen: true }, (socket) => {
      adopt(server, mine, socket);
      server.emit('connection', socket);
    });
    twin = mine;
    const forget = () => { if (twin === mine) twin = null; };
    mine.on('error', forget);
    mine.on('close', forget);
    mine.once('listening', guarded(() => {
      reportListening();
      setTimeout(flushCompileCache, FLUSH_DELAY_MS).unref();
      measure();
    }));
    plainListen.call(mine, { fd: accepting, backlog: BACKLOG });
    mine.unref();
    const close = server.close;
    server.close = function (...args) {
      guarded(() => mine.close())();
      return close.apply(this, args);
    };
  });

  // Heap that a burst of requests left behind stays with the process for ever: Node returns nothing
  // of it while it idles. One full collection does. V8 gives `gc` to contexts made under the flag only.
  const collect = guarded(() => {
    const { setFlagsFromString } = require('v8');
    setFlagsFromString('--expose-gc');
    const gc = guarded(() => require('vm').runInNewContext('gc'))();
    setFlagsFromString('--no-expose-gc');
    gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  });

  // The delay's monitor wakes the process fifty times a second: it runs only while there is work, so
  // that hundreds of idle apps cost nothing. The end of work is the moment to collect, once: a heap so
  // large that this would take long is left alone, and one that has hardly grown as well.
  const measure = guarded(() => {
    const { monitorEventLoopDelay, performance } = require('perf_hooks');
    const delay = monitorEventLoopDelay({ resolution: 20 });
    let watching = false;
    let kept = 0;
    let before = performance.eventLoopUtilization();
    setInterval(guarded(() => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, before);
      before = now;
      report({
        type: 'measures',
        delay_ms: watching ? Math.round(delay.percentile(99) / 1e4) / 100 : 0,
        heap_bytes: process.memoryUsage().heapUsed,
      });
      delay.reset();
      const busy = utilization > BUSY;
      if (busy !== watching) busy ? delay.enable() : delay.disable();
      watching = busy;
      const { rss, heapTotal } = process.memoryUsage();
      if (!busy && rss > kept * 1.1 && heapTotal < COLLECT_BYTES_MAX) {
        collect();
        kept = process.memoryUsage().rss;
      }
    }), MEASURE_INTERVAL_MS).unref();
  });

  const asksForPort = guarded((args) => {
    const first = args[0];
    const port = first !== null && typeof first === 'object' ? first.port : first;
    return port !== undefined && port !== null && port !== '' && Number(port) === PORT;
  });

  // Node closes for its children whatever is not among their streams. Ours come after these, at other
  // numbers where an IPC channel has 3; whoever counts `child.stdio` sees no more than was asked for.
  const NAMED = new Set(['pipe', 'overlapped', 'ignore', 'inherit']);
  const withOurs = guarded((stdio) => {
    if (!isOurs(LISTENER, LISTENER_INODE) || !isOurs(REPORTS, REPORTS_INODE)) return undefined;
    const named = stdio === undefined || stdio === null ? 'pipe' : stdio;
    const given = NAMED.has(named) ? [named, named, named] : named;
    if (!Array.isArray(given)) return undefined;
    const streams = [...given];
    while (streams.length < FIRST) streams.push(null);
    const first = streams.length === FIRST ? FIRST : Math.max(streams.length, HANDED_FROM);
    if (first + 2 > SEARCHED_MAX) return undefined;
    while (streams.length < first) streams.push('ignore');
    return [...streams, LISTENER, REPORTS];
  });
  const handOn = guarded(() => {
    if (LISTENER < 0 || REPORTS < 0) return;
    const { ChildProcess } = require('child_process');
    const plainSpawn = ChildProcess.prototype.spawn;
    const isWorkers = (options) =>
      (options.envPairs || []).some((pair) => pair.startsWith('NODE_UNIQUE_ID='));
    ChildProcess.prototype.spawn = function spawn(options) {
      const stdio = guarded(() => (isWorkers(options) ? undefined : withOurs(options.stdio)))();
      if (!stdio) return plainSpawn.call(this, options);
      const status = plainSpawn.call(this, { ...options, stdio });
      const asked = Array.isArray(options.stdio) ? Math.max(options.stdio.length, FIRST) : FIRST;
      if (Array.isArray(this.stdio) && this.stdio.length === stdio.length) this.stdio.length = asked;
      return status;
    };
  });

  let plainListen = null;
  const install = guarded(() => {
    if (!Number.isInteger(PORT) || PORT <= 0 || !acceptsHere()) return;
    handOn();
    const { Server } = require('net');
    plainListen = Server.prototype.listen;
    Server.prototype.listen = function listen(...args) {
      if (guarded(() => isPlainHttp(this) && asksForPort(args))()) {
        this.once('listening', () => accept(this));
      }
      return plainListen.apply(this, args);
    };
  });

  // The first process of a zone ignores SIGTERM unless it handles it, and Node would write its compile
  // cache only at a clean exit. This handler does both, and is not there for who counts handlers.
  const onTerminate = () => {
    flushCompileCache();
    if (process.listenerCount('SIGTERM') === 0) process.exit(143);
  };
  const handleTermination = guarded(() => {
    const { listeners, listenerCount } = process;
    process.listeners = function (event) {
      const found = listeners.call(this, event);
      return event === 'SIGTERM' ? found.filter((entry) => entry !== onTerminate) : found;
    };
    process.listenerCount = function (event, ...rest) {
      const count = listenerCount.call(this, event, ...rest);
      const hidden = event === 'SIGTERM' && listeners.call(this, event).includes(onTerminate);
      return hidden && rest.length === 0 ? count - 1 : count;
    };
    process.on('SIGTERM', onTerminate);
  });

  // What Node.js says of the computer is the host's: whoever sizes pools and caches by it would take
  // many times what the package has. Used is what the cgroup counts: memory without a file behind it,
  // of all processes here, and the file systems in memory.
  const [MEMORY_BYTES, PROCESSORS] = (process.env.SMARTPLATFORM_SIZE || '').split(':').map(Number);
  const IN_MEMORY = ['/tmp', '/dev/shm'];
  const read = guarded((path) => fs.readFileSync(path, 'latin1'));
  const usedBytes = () => {
    let bytes = 0;
    for (const name of fs.readdirSync('/proc')) {
      const found = /^\d/.test(name) && /^RssAnon:\s+(\d+)/m.exec(read(`/proc/${name}/status`));
      if (found) bytes += Number(found[1]) * 1024;
    }
    for (const path of fs.statfsSync ? IN_MEMORY : []) {
      const { bsize, blocks, bfree } = fs.statfsSync(path);
      bytes += bsize * (blocks - bfree);
    }
    return bytes;
  };
  const replace = (object, name, answer) => {
    const plain = object[name];
    if (typeof plain !== 'function') return;
    const told = () => {
      try { return answer(() => plain.call(object)); } catch { return plain.call(object); }
    };
    Object.defineProperty(told, 'name', { value: name });
    if (plain[Symbol.toPrimitive]) told[Symbol.toPrimitive] = told;
    object[name] = told;
  };
  const tellSize = guarded(() => {
    const os = require('os');
    if (MEMORY_BYTES > 0) {
      const total = (plain) => Math.min(plain(), MEMORY_BYTES);
      const free = (plain) => Math.max(0, Math.min(plain(), MEMORY_BYTES - usedBytes()));
      replace(os, 'totalmem', total);
      replace(os, 'freemem', free);
      replace(process, 'constrainedMemory', () => MEMORY_BYTES);
      replace(process, 'availableMemory', free);
    }
    if (PROCESSORS > 0) {
      replace(os, 'cpus', (plain) => plain().slice(0, PROCESSORS));
      replace(os, 'availableParallelism', (plain) => Math.min(plain(), PROCESSORS));
      const browser = globalThis.Navigator && globalThis.Navigator.prototype;
      const concurrency = { configurable: true, enumerable: true, get: os.availableParallelism };
      if (browser) Object.defineProperty(browser, 'hardwareConcurrency', concurrency);
    }
    require('module').syncBuiltinESMExports();
  });

  tellSize();
  install();
  if (LISTENER_INODE && require('worker_threads').isMainThread) handleTermination();
})();
