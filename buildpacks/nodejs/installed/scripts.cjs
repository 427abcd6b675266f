// Prints the install scripts of what is installed: [name, …scripts] a line, and `end`. Arguments: a JSON
// object {"only": [names] or null, "never": [names]} of those whose scripts the package manager runs.
const { only, never } = JSON.parse(process.argv[1] || '{}');
const modulesFile = attempt(() =>
  JSON.parse(fs.readFileSync('node_modules/.modules.yaml', 'utf8'))
);
const ignored = new Set((modulesFile || {}).ignoredBuilds || []);
/** pnpm calls packages by name and version, or by name and whence they come. */
const isIgnored = (name, version) =>
  [...ignored].some((each) => each === `${name}@${version}` || each.startsWith(`${name}@file:`));

for (const modules of ourModules()) {
  for (const [, place] of places(modules)) {
    const { name, version, scripts } = (!isLink(place) && manifest(place)) || {};
    const commands = ['preinstall', 'install', 'postinstall'].map((event) => (scripts || {})[event]);
    const isBuilt = (!only || only.includes(name)) && !(never || []).includes(name);
    if (!isBuilt || isIgnored(name, version)) continue;
    const shown = commands.filter(Boolean).map((text) => `${text}`.slice(0, LENGTH));
    if (shown.length) console.log(JSON.stringify([name, ...shown]));
  }
}
console.log('END');
