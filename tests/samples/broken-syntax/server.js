const http = require('node:http');

const server = http.createServer((request, response) => {
  response.end('never');
};

server.listen(process.env.PORT);
