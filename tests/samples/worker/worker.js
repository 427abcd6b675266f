let beats = 0;
const timer = setInterval(() => console.log(`beat ${++beats}`), 1000);

console.log('worker started');
process.on('SIGTERM', () => {
  clearInterval(timer);
  console.log('worker stopped');
});
