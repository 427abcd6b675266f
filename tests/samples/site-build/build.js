// In place of Vite, so that nothing is fetched: it leaves what `vite build` leaves.
const fs = require('fs');
fs.rmSync('dist', { recursive: true, force: true });
fs.mkdirSync('dist/assets', { recursive: true });
fs.copyFileSync('src/main.js', 'dist/assets/index-B4x0Qz7_.js');
const page = fs.readFileSync('index.html', 'utf8').replace('SOURCE', 'built');
fs.writeFileSync('dist/index.html', page.replace('/src/main.js', '/assets/index-B4x0Qz7_.js'));
