/**
 * The house's walls (docs/architecture.md): arrows only go down, rooms of the first floor do not know each other, nobody but the
 * desktop shell and the preload bridge knows Electron, and the page knows only preload/api.
 */
const ground = ['hardware', 'models', 'inference', 'protocol', 'ton', 'wallet', 'storage']
const first = ['client', 'worker', 'proxy', 'chat', 'devices', 'earnings', 'gateway', 'localnet', 'network', 'router', 'keys']
const test = '\\.test\\.tsx?$'
const room = (names) => `^main/(${names.join('|')})/`

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'contracts-know-only-ton',
      severity: 'error',
      // The cases of the protocol's tables are tests that stand in files of their own.
      from: { path: '^contracts/', pathNot: [test, '^contracts/rows/'] },
      to: { pathNot: ['^contracts/', '^node_modules/@ton/'], dependencyTypesNot: ['core'] },
    },
    {
      name: 'api-knows-only-zod',
      severity: 'error',
      from: { path: '^preload/api/', pathNot: test },
      to: { pathNot: ['^preload/api/', '^node_modules/zod/'] },
    },
    {
      name: 'renderer-knows-only-the-api',
      severity: 'error',
      from: { path: '^renderer/' },
      to: { path: '^(main|contracts|scripts|e2e)/|^preload/(?!api/)' },
    },
    {
      name: 'main-knows-of-the-page-only-the-api',
      severity: 'error',
      from: { path: '^main/' },
      to: { path: '^(renderer|scripts|e2e)/|^preload/(?!api/)' },
    },
    {
      name: 'electron-only-in-the-shell',
      severity: 'error',
      from: { pathNot: ['^main/desktop/', '^preload/index\\.ts$'] },
      to: { path: '^node_modules/electron(/|$)|^electron$' },
    },
    { name: 'base-knows-nobody', severity: 'error', from: { path: '^main/base/' }, to: { path: '^main/(?!base/)' } },
    {
      name: 'ground-floor-knows-only-base',
      comment: 'Types of an interface may cross (wallet speaks of a Chain); code may not.',
      severity: 'error',
      from: { path: room(ground), pathNot: test },
      to: { path: '^main/', pathNot: ['^main/base/', '^main/$1/'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'first-floor-rooms-do-not-know-each-other',
      severity: 'error',
      from: { path: room(first), pathNot: test },
      to: { path: '^main/', pathNot: ['^main/base/', '^main/$1/', room(ground)] },
    },
    {
      name: 'shells-know-only-the-top-floor',
      severity: 'error',
      from: { path: '^main/(desktop|headless)/', pathNot: test },
      to: { path: room(first) },
    },
    {
      name: 'roles-do-without-the-app',
      comment: 'A role of the command line runs where the app was never installed.',
      severity: 'error',
      from: { path: '^main/roles/', pathNot: [test, '/testing/'] },
      to: {
        path: '^main/(core|core\\.ts|core-process\\.ts|api\\.ts|api-link\\.ts|desktop|headless)',
        pathNot: '^main/core/(dialer|via-dialer|local-endpoint)\\.ts$',
      },
    },
    {
      name: 'tests-stay-out-of-the-product',
      severity: 'error',
      from: { path: '^(main|preload|renderer|contracts)/', pathNot: [test, '/testing/'] },
      to: { path: ['/testing/', test] },
    },
    {
      name: 'e2e-uses-public-surfaces',
      severity: 'error',
      from: { path: '^e2e/', pathNot: '^e2e/support/attested/' },
      to: { path: '^(main(?!/base/testing/)|renderer|contracts)/' },
    },
    {
      name: 'synthetic-hardware-runs-in-programs-of-its-own',
      comment:
        'Journeys start these programs, which stand for hardware that nobody has here; what they say to each other is types.',
      severity: 'error',
      from: { path: '^e2e/', pathNot: '^e2e/support/attested/' },
      to: { path: '^e2e/support/attested/', dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(out|dist|contracts/build)/' },
    tsPreCompilationDeps: 'specify',
    parser: 'swc',
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js', '.mjs', '.json'] },
  },
}
