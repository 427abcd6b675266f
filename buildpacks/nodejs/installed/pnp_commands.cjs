// Makes commands of what Yarn's Plug'n'Play installs: `node`, which finds the packages in their archives,
// and each command of a direct dependency, in the folder where PATH has those of every app.
const FOLDER = 'node_modules/.bin';
const quoted = (text) => `'${text.replace(/'/g, "'\\''")}'`;

function command(name, line) {
  fs.writeFileSync(path.join(FOLDER, name), `#!/bin/sh\nexec ${line} "$@"\n`, { mode: 0o755 });
}

fs.mkdirSync(FOLDER, { recursive: true });
const loader = fs.existsSync('.pnp.loader.mjs')
  ? ` --no-warnings=ExperimentalWarning --experimental-loader file://${ROOT}/.pnp.loader.mjs`
  : '';
const pnp = require(path.join(ROOT, '.pnp.cjs'));
pnp.setup();
for (const [name, reference] of pnp.getPackageInformation(pnp.topLevel).packageDependencies) {
  if (reference === null) continue;
  const { packageLocation } = pnp.getPackageInformation(pnp.getLocator(name, reference)) || {};
  const { bin } = (packageLocation && manifest(packageLocation)) || {};
  const short = name.slice(name.lastIndexOf('/') + 1);
  for (const [called, file] of Object.entries(typeof bin === 'string' ? { [short]: bin } : bin || {})) {
    const target = path.join(packageLocation, file);
    const start = attempt(() => fs.readFileSync(target, 'latin1').slice(0, 4));
    const isProgram = start === '\x7fELF';
    if (/^[\w.@-]+$/.test(called)) command(called, `${isProgram ? '' : 'node '}${quoted(target)}`);
  }
}
command('node', `/opt/node/bin/node --require ${ROOT}/.pnp.cjs${loader}`);
