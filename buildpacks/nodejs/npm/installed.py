"""Which install scripts there are among the dependencies: asked where npm has installed them."""

from buildpacks.nodejs.scripts import COMMAND_CHARACTERS_MAX, PROBE_END

# npm's own list of what it installed; with the linked strategy its places are not the real ones.
PROBE = (
    "node",
    "-e",
    """
const { existsSync, readFileSync } = require('fs');
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
if (!existsSync('node_modules/.store')) {
  const { packages } = read('node_modules/.package-lock.json');
  for (const [place, entry] of Object.entries(packages)) {
    if (!entry.hasInstallScript || entry.inBundle || entry.link) continue;
    if (!place.startsWith('node_modules/') && !place.includes('/node_modules/')) continue;
    const name = place.slice(place.lastIndexOf('node_modules/') + 13);
    const { scripts = {} } = read(`${place}/package.json`);
    const commands = ['preinstall', 'install', 'postinstall'].map((event) => scripts[event]);
    const shown = commands.filter(Boolean).map((text) => `${text}`.slice(0, LENGTH));
    console.log(JSON.stringify([name, ...shown]));
  }
  console.log('END');
}
""".replace("LENGTH", str(COMMAND_CHARACTERS_MAX + 1)).replace("END", PROBE_END),
)
