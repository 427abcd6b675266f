module.exports = 'nobody starts me';
