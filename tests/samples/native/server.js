const http = require('node:http');
const bcrypt = require('bcrypt');

http
  .createServer((request, response) => response.end(`${bcrypt.hashSync('secret', 4)}\n`))
  .listen(process.env.PORT, () => console.log(`listening on port ${process.env.PORT}`));
