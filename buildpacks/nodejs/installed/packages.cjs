// What is installed in node_modules, in whatever layout: hoisted (npm, Yarn, Bun) or with a virtual
// store and links into it (pnpm, Bun's isolated linker). Runs in the app's folder, also with Node.js 12.
const fs = require('fs');
const path = require('path');

const ROOT = fs.realpathSync('.');
const STORES = ['.pnpm', '.bun', '.store'];

function attempt(action) {
  try {
    return action();
  } catch (error) {
    return null;
  }
}

const manifest = (folder) =>
  attempt(() => JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')));
const names = (folder) => attempt(() => fs.readdirSync(folder)) || [];
const isLink = (place) => Boolean(attempt(() => fs.lstatSync(place).isSymbolicLink()));
const real = (place) => attempt(() => fs.realpathSync(place));
const isDirectory = (place) => Boolean(attempt(() => fs.statSync(place).isDirectory()));
const isOurs = (folder) => folder === ROOT || folder.startsWith(ROOT + path.sep);
const isInstalled = (folder) => folder.split(path.sep).includes('node_modules');

/** The places of packages in a node_modules folder, those of scopes too: [name, place]. */
function places(modules) {
  const found = [];
  for (const name of names(modules)) {
    if (name.startsWith('.')) continue;
    const place = path.join(modules, name);
    if (name.startsWith('@')) {
      for (const inner of names(place)) found.push([`${name}/${inner}`, path.join(place, inner)]);
    } else {
      found.push([name, place]);
    }
  }
  return found;
}

/** The node_modules folders of a store's entries, and the one that all of them share. */
function storeModules(modules) {
  const stores = STORES.map((name) => path.join(modules, name)).filter(isDirectory);
  return stores.flatMap((store) =>
    names(store).map((name) =>
      name === 'node_modules' ? path.join(store, name) : path.join(store, name, 'node_modules')
    )
  );
}

/** All node_modules folders below one, nested ones and those of stores too. */
function* allModules(modules) {
  if (!isDirectory(modules)) return;
  yield modules;
  for (const folder of storeModules(modules)) yield* allModules(folder);
  for (const [, place] of places(modules)) {
    if (!isLink(place)) yield* allModules(path.join(place, 'node_modules'));
  }
}

/** All of the app, those that Yarn has unpacked beside its Plug'n'Play archives too. */
function* ourModules() {
  const unplugged = names('.yarn/unplugged').map((name) => `.yarn/unplugged/${name}`);
  for (const folder of ['.', ...unplugged]) yield* allModules(path.join(ROOT, folder, 'node_modules'));
}

/** The folder that `require(name)` finds from another folder, as Node.js looks for it. */
function resolve(from, name) {
  for (let folder = from; isOurs(folder); folder = path.dirname(folder)) {
    if (path.basename(folder) === 'node_modules') continue;
    const place = path.join(folder, 'node_modules', name);
    if (isDirectory(place)) return real(place);
  }
  return null;
}
