console.log('building the pages');
console.error('build.js: pages/index.md: no title');
process.exit(3);
