// Runs the install scripts of installed packages and linked folders once more. Arguments: names of
// packages, `./` and the path of folders, `.` for the app's own native module. npm's own module runs
// them, with npm's node-gyp at hand.
const runScript = require('/opt/node/lib/node_modules/npm/node_modules/@npmcli/run-script');

const OF_PACKAGES = ['preinstall', 'install', 'postinstall'];
const OF_FOLDERS = [...OF_PACKAGES, 'prepare'];

function found(wanted) {
  const folders = new Set();
  for (const modules of ourModules()) {
    for (const [name, place] of places(modules)) {
      const folder = real(place);
      if (name === wanted && folder && !(isLink(place) && isInstalled(path.relative(ROOT, folder)))) {
        folders.add(folder);
      }
    }
  }
  return folders;
}

async function again(folder, events) {
  const { scripts } = manifest(folder) || {};
  const has = scripts || {};
  const compiles = fs.existsSync(path.join(folder, 'binding.gyp')) && !has.install && !has.preinstall;
  for (const event of events) {
    if (!has[event] && !(event === 'install' && compiles)) continue;
    await runScript({
      event,
      path: folder,
      stdio: 'inherit',
      banner: false,
      env: { INIT_CWD: ROOT },
    });
  }
}

async function main() {
  for (const name of process.argv.slice(1)) {
    if (name === '.') await again(ROOT, OF_PACKAGES);
    else if (name.startsWith('./') && isOurs(real(name) || '')) await again(real(name), OF_FOLDERS);
    else for (const folder of found(name)) await again(folder, OF_PACKAGES);
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exit(error.code > 0 ? error.code : 1);
});
