console.log('thinking, and never listening');
setInterval(() => {}, 1000);
