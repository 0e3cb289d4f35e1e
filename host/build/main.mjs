/**
 * Entry of every npm script: `node host/build/main.mjs TASK [arguments]`.
 *
 * This file keeps to syntax that any Node with ES modules reads, because it has to be able to say
 * that Node is too old. Nothing under host/build needs node_modules until dependencies.mjs has run.
 */
const NEEDED_MAJOR = 20;
const NEEDED_MINOR = 19;
const version = process.versions.node;
const major = parseInt(version, 10);
const minor = parseInt(version.slice(version.indexOf('.') + 1), 10);

if (major < NEEDED_MAJOR || (major === NEEDED_MAJOR && minor < NEEDED_MINOR)) {
  const needed = NEEDED_MAJOR + '.' + NEEDED_MINOR;
  process.stderr.write('pvcalls needs Node ' + needed + ' or newer; this is ' + version + '.\n');
  process.exitCode = 2;
} else {
  import('./tasks.mjs').then((tasks) => tasks.main(process.argv.slice(2)));
}
