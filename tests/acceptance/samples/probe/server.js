// An app that says which version it is, and does to itself what a test asks for.
const { exec } = require('node:child_process');
const http = require('node:http');

const version = 'one';
const hog = [];

const answers = {
  '/': (request, response) => response.end(`${version} ${process.env.GREETING || ''}`.trim()),
  '/pid': (request, response) => response.end(JSON.stringify({ pid: process.pid, name: process.env.DYNO })),
  '/exit': () => process.exit(7),
  '/slow': (request, response) => setTimeout(() => response.end(`${version} slow`), 1500),
  '/fill': (request, response) => {
    response.end('filling');
    setInterval(() => hog.push(Buffer.alloc(16 * 1024 * 1024, 1)), 5);
  },
  '/run': (request, response) => {
    let script = '';
    request.on('data', (chunk) => (script += chunk));
    request.on('end', () => {
      exec(script, { timeout: 20000, shell: '/bin/sh' }, (error, stdout, stderr) => {
        response.end(JSON.stringify({ status: error ? error.code ?? -1 : 0, stdout, stderr }));
      });
    });
  },
};

const server = http.createServer((request, response) => {
  const answer = answers[request.url.split('?')[0]];
  if (answer) return answer(request, response);
  response.statusCode = 404;
  response.end('no such page');
});

console.log(`version ${version} starts`);
server.listen(process.env.PORT);
process.on('SIGTERM', () => server.close(() => process.exit(0)));
