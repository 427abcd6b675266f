// Takes away what only dev dependencies need. Arguments: the folders of workspaces. It asks no registry
// and runs no script: package managers would do one or the other.
/** What a folder's package needs at run time. In a store the links beside it are exactly that. */
function wanted(folder) {
  const modules = folder.slice(0, folder.lastIndexOf('node_modules') + 'node_modules'.length);
  if (STORES.includes(path.basename(path.dirname(path.dirname(modules))))) {
    return places(modules).map(([name]) => name);
  }
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } =
    manifest(folder) || {};
  const isOptional = (name) => ((peerDependenciesMeta || {})[name] || {}).optional;
  return [
    ...Object.keys(dependencies || {}),
    ...Object.keys(optionalDependencies || {}),
    ...Object.keys(peerDependencies || {}).filter((name) => !isOptional(name)),
  ];
}

function reached(importers) {
  const kept = new Set(importers);
  for (const folder of kept) {
    for (const name of wanted(folder)) {
      const found = resolve(folder, name);
      if (found) kept.add(found);
    }
  }
  return kept;
}

function isBundler(folder) {
  const { bundleDependencies, bundledDependencies } = manifest(folder) || {};
  return Boolean(bundleDependencies || bundledDependencies);
}

let removed = 0;
function remove(place) {
  // Node.js 12 has no fs.rmSync.
  if (fs.rmSync) fs.rmSync(place, { recursive: true, force: true });
  else require('child_process').execFileSync('rm', ['-rf', '--', place]);
}

function pruneModules(modules, kept) {
  for (const [, place] of places(modules)) {
    const target = real(place);
    if (target && kept.has(target)) {
      if (!isLink(place) && !isBundler(place)) pruneModules(path.join(place, 'node_modules'), kept);
    } else if (isLink(place)) {
      if (!target || isInstalled(path.relative(ROOT, target))) fs.unlinkSync(place);
    } else if (manifest(place)) {
      removed += 1;
      remove(place);
    }
  }
  for (const store of STORES.map((name) => path.join(modules, name))) pruneStore(store, kept);
  for (const scope of names(modules).filter((name) => name.startsWith('@'))) {
    attempt(() => fs.rmdirSync(path.join(modules, scope)));
  }
  pruneCommands(path.join(modules, '.bin'));
}

function pruneStore(store, kept) {
  for (const name of names(store)) {
    const inner = name === 'node_modules' ? '' : path.join(store, name, 'node_modules');
    if (!inner || !isDirectory(inner)) continue;
    const own = places(inner).filter(([, place]) => !isLink(place));
    if (own.length && !own.some(([, place]) => kept.has(real(place)))) {
      removed += 1;
      remove(path.join(store, name));
    } else {
      pruneModules(inner, kept);
    }
  }
  if (isDirectory(path.join(store, 'node_modules'))) {
    pruneModules(path.join(store, 'node_modules'), kept);
  }
}

/** Links, and pnpm's shell scripts, whose program is gone. */
function pruneCommands(folder) {
  for (const name of names(folder)) {
    const place = path.join(folder, name);
    const text = isLink(place) ? '' : attempt(() => fs.readFileSync(place, 'utf8')) || '';
    const named = /"\$basedir\/([^"\n]*\/[^"\n]*)"\s|^# cmd-shim-target=(.+)/m.exec(text);
    const isGone = isLink(place) ? !real(place) : named && !real(path.resolve(folder, named[1] || named[2]));
    if (isGone) fs.unlinkSync(place);
  }
}

const importers = [ROOT, ...process.argv.slice(1).map((folder) => real(folder)).filter(Boolean)];
const kept = reached(importers);
for (const folder of [...kept].filter((each) => !isInstalled(path.relative(ROOT, each)))) {
  pruneModules(path.join(folder, 'node_modules'), kept);
}
console.log(`removed ${removed} packages`);
