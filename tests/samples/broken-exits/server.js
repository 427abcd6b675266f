console.log('all done, goodbye');
