/**
 * `npm test`: sets up a fresh clone, runs every check, and ends with one line for the whole: `N passed, N failed, N skipped`.
 * Runs on any Node from 20 on. `npm test -- --only unit` runs a part (types, lint, imports, unit, journeys).
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { findNode, root, setUp } from './setup.mjs'

const results = join(root, 'test-results')
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined
const total = { passed: 0, failed: 0, skipped: 0 }

/** Where Debian and others put Chromium; a path in CHROMIUM_PATH wins. */
function findChromium() {
  const known = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  return known.find((path) => path && existsSync(path))
}

function provideChromium() {
  if (findChromium() || process.platform !== 'linux') return
  console.log('Installing Chromium for the journeys …')
  const quiet = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  for (const args of [
    ['apt-get', 'update'],
    ['apt-get', 'install', '-y', '--no-install-recommends', 'chromium'],
  ]) {
    const [command, ...rest] = [...sudo, ...args]
    spawnSync(command, rest, quiet)
  }
}

function run(title, args, env = {}) {
  console.log(`\n— ${title}`)
  const started = Date.now()
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      ...env,
      PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}`,
      FORCE_COLOR: '0',
      NO_COLOR: '1',
    },
  })
  console.log(`— ${title}: ${result.status === 0 ? 'ok' : 'FAILED'} (${((Date.now() - started) / 1000).toFixed(0)} s)`)
  return result.status === 0
}

/** A check without a count of its own is one test. */
function check(title, args) {
  if (run(title, args)) total.passed++
  else total.failed++
}

/** Adds the counts of a runner's JSON report. A runner that wrote none, ran nothing, or failed without a failed test counts as a failure. */
function suite(title, args, env, reportFile, read) {
  const report = join(results, reportFile)
  const ok = run(title, args, env)
  let counts = { passed: 0, failed: 1, skipped: 0 }
  if (existsSync(report)) counts = read(JSON.parse(readFileSync(report, 'utf8')))
  if (counts.passed + counts.failed === 0 || (!ok && counts.failed === 0)) counts.failed++
  for (const key of Object.keys(total)) total[key] += counts[key]
}

const vitestCounts = (report) => ({
  passed: report.numPassedTests,
  failed: report.numFailedTests,
  skipped: report.numPendingTests + report.numTodoTests,
})
const playwrightCounts = ({ stats }) => ({
  passed: stats.expected,
  failed: stats.unexpected + stats.flaky,
  skipped: stats.skipped,
})

const parts = {
  types: () => {
    for (const project of ['tsconfig.node.json', 'tsconfig.web.json'])
      check(`Types, ${project}`, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project])
  },
  lint: () => check('Lint and format', [join(root, 'node_modules/@biomejs/biome/bin/biome'), 'check', '.']),
  imports: () => check('Import rules', [join(root, 'scripts/check-imports.mjs')]),
  unit: () =>
    suite(
      'Unit, contract and protocol tests',
      [
        join(root, 'node_modules/vitest/vitest.mjs'),
        'run',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${join(results, 'vitest.json')}`,
      ],
      {},
      'vitest.json',
      vitestCounts,
    ),
  journeys: () => {
    provideChromium()
    suite(
      'Journeys in the browser',
      [join(root, 'node_modules/@playwright/test/cli.js'), 'test'],
      { PLAYWRIGHT_JSON_OUTPUT_NAME: join(results, 'playwright.json'), CHROMIUM_PATH: findChromium() ?? '' },
      'playwright.json',
      playwrightCounts,
    )
  },
}

if (only && !parts[only]) {
  console.error(`There is no part ${only}; there are ${Object.keys(parts).join(', ')}.`)
  process.exit(1)
}
try {
  setUp()
} catch (error) {
  console.error(error.message)
  console.log('0 passed, 1 failed, 0 skipped')
  process.exit(1)
}
// Everything below runs on the Node that the product ships with.
if (process.execPath !== findNode()) {
  const again = spawnSync(findNode(), process.argv.slice(1), { stdio: 'inherit' })
  process.exit(again.status ?? 1)
}
rmSync(results, { recursive: true, force: true })
mkdirSync(results, { recursive: true })
for (const [name, part] of Object.entries(parts)) if (!only || only === name) part()
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exit(total.failed > 0 ? 1 : 0)
