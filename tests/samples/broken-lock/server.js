const http = require('node:http');

const server = http.createServer((request, response) => {
  console.log(`${request.method} ${request.url}`);
  response.setHeader('content-type', 'text/plain');
  response.end('hello\n');
});

server.listen(process.env.PORT, () => console.log(`listening on port ${process.env.PORT}`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
