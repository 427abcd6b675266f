'use strict';
// Loaded before an app that is started only to be watched: whatever it compiles on its way to the answer
// of `GET /` goes into V8's compile cache (NODE_COMPILE_CACHE), and then it is over. Nothing of it may
// reach others: no connection is made. A process that waits (for a database, say) is over as well; one
// that waits for its children is over after them.

(() => {
  const LISTENING_MS = 6000;
  const ANSWER_MS = 2000;
  const LOOK_EVERY_MS = 250;
  const BUSY_MICROSECONDS = 20_000;
  const IDLE_LOOKS = 3;
  const { isMainThread } = require('worker_threads');
  const net = require('net');
  const dgram = require('dgram');

  const refused = (target) =>
    Object.assign(new Error(`connect ECONNREFUSED ${target}`), {
      code: 'ECONNREFUSED', errno: -111, syscall: 'connect',
    });
  const plainConnect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function connect() {
    process.nextTick(() => this.destroy(refused('(a rehearsal makes no connections)')));
    return this;
  };
  for (const name of ['send', 'connect']) {
    dgram.Socket.prototype[name] = function (...args) {
      const told = args.findLast((argument) => typeof argument === 'function');
      if (told) process.nextTick(told, refused('(a rehearsal sends nothing)'));
    };
  }
  if (!isMainThread) return;

  const isWorker = require('cluster').isWorker;
  const end = () => {
    const { flushCompileCache } = require('module');
    if (typeof flushCompileCache === 'function') {
      flushCompileCache();
      // Without its own last words: they may wait, or write.
      if (!isWorker) process.kill(process.pid, 'SIGKILL');
    } else if (!isWorker) process.reallyExit(0);
  };
  setTimeout(end, LISTENING_MS);

  const ask = (server) => {
    const address = server.address();
    if (!address || typeof address !== 'object') return end();
    const done = setTimeout(end, ANSWER_MS);
    const over = () => { clearTimeout(done); setImmediate(end); };
    const host = address.family === 'IPv6' ? '::1' : '127.0.0.1';
    const createConnection = () =>
      plainConnect.call(new net.Socket(), { port: address.port, host });
    require('http')
      .get({ path: '/', headers: { host: 'localhost', accept: 'text/html' }, createConnection },
        (response) => response.resume().on('close', over))
      .on('error', over);
  };
  let asked = false;
  const plainListen = net.Server.prototype.listen;
  net.Server.prototype.listen = function listen(...args) {
    this.once('listening', () => {
      if (asked || !('requestTimeout' in this)) return;
      asked = true;
      ask(this);
    });
    return plainListen.apply(this, args);
  };

  // Idle: it waits for something that will not come.
  let before = process.cpuUsage();
  let idle = 0;
  setInterval(() => {
    const used = process.cpuUsage(before);
    before = process.cpuUsage();
    idle = used.user + used.system < BUSY_MICROSECONDS ? idle + 1 : 0;
    const { ChildProcess } = require('child_process');
    const waits = process._getActiveHandles().some((handle) => handle instanceof ChildProcess);
    if (idle >= IDLE_LOOKS && !asked && !waits) end();
  }, LOOK_EVERY_MS).unref();
})();
