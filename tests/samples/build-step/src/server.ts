import { createServer } from 'node:http';

const port: string = process.env.PORT ?? '3000';

createServer((request, response) => {
  response.end(`built: ${request.url}\n`);
}).listen(port, () => console.log(`listening on port ${port}`));
