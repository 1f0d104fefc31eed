import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { intelRoots } from './protocol/attestation/intel-chain.ts'

/** Every source of what ships, by its path below main/. */
const sources = readdirSync(import.meta.dirname, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
  .map((entry) => relative(import.meta.dirname, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  .filter((path) => !/(^|\/)testing(\/|\.ts$)/.test(path))

/** Lines of code, without comments. */
const linesOf = (path: string): string[] =>
  readFileSync(join(import.meta.dirname, path), 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => !/^(\/\*|\*|\/\/)/.test(line))

/** Outside of the attestation, which uses the roots it is given: who gives them to whom. */
const handedOn: Readonly<Record<string, readonly string[]>> = {
  // What is started says Intel's, and nothing else.
  'core-process.ts': ['roots: intelRoots,'],
  'headless/cli.ts': ['process.exit(await verifyCommand(process.argv.slice(3), intelRoots))', 'roots: intelRoots,'],
  'headless/role-commands/common.ts': ['roots: intelRoots,'],
  'headless/role-commands/router.ts': ['roots: intelRoots,'],
  'roles/attesting.ts': [
    'readonly roots: TrustedRoots',
    'export function quoteJudge({ dataDir, pccs = intelServiceUrl, roots, logger }: AttestingOptions): QuoteJudge {',
    "const key = [folder, pccs, ...roots.map((root) => Buffer.from(root).toString('hex'))].join(' ')",
    'const verifier = new QuoteVerifier({ collateral, roots })',
  ],
  'core.ts': [
    'readonly roots: TrustedRoots',
    'roots,',
    'const quotes = quoteJudge({ dataDir, ...(pccs === undefined ? {} : { pccs }), roots, logger })',
  ],
  'headless/serve.ts': ['readonly roots: TrustedRoots', 'roots: options.roots,'],
  'headless/verify-command.ts': [
    'roots: TrustedRoots,',
    'const { lines, status } = all === undefined ? aboutEvidence(json, roots) : await aboutReceipts(all, values.chain)',
    'function aboutEvidence(json: unknown, roots: TrustedRoots): Told {',
    'const lines = verifyEvidence(json, roots)',
  ],
  'roles/role-options.ts': ['readonly roots: TrustedRoots'],
  'roles/network-keys.ts': [
    "role: Pick<RoleOptions, 'network' | 'entries' | 'dataDir' | 'pccs' | 'roots' | 'hardware' | 'logger'> &",
  ],
}

/** Who makes a judge of quotes, and who gives one on under a name: another one would set aside all root keys. */
const judges: Readonly<Record<string, readonly string[]>> = {
  'core.ts': ['const quotes = quoteJudge({ dataDir, ...(pccs === undefined ? {} : { pccs }), roots, logger })'],
  // The one that refuses all.
  'core/local-network.ts': ['const { quotes = noQuoteJudge } = options', 'const { quotes = noQuoteJudge } = this.#options'],
  'roles/attesting.ts': [
    'const verifiers = new Map<string, QuoteVerifier>()',
    'export function quoteJudge({ dataDir, pccs = intelServiceUrl, roots, logger }: AttestingOptions): QuoteJudge {',
    'const verifier = new QuoteVerifier({ collateral, roots })',
    "return name === 'tdx' ? { kind: name, quotes: options.quotes ?? quoteJudge(options) } : { kind: name }",
  ],
  'roles/client-role.ts': [
    "const attested = seal === 'attested' ? new AttestedQuestions(network.root, options.quotes ?? quoteJudge(options)) : undefined",
  ],
  'roles/router-role.ts': [
    'const policies = policiesOf(policyFile === undefined ? undefined : readPolicies(policyFile), quoteJudge(options))',
  ],
  'roles/standing-peers.ts': ['this.#quotes = quotes'],
  'router/policies.ts': [
    'export function policiesOf(fileText?: string, quotes: QuoteJudge = noQuoteJudge): ReadonlyMap<string, Policy> {',
  ],
  'protocol/attestation/quote-verifier.ts': [
    'export class QuoteVerifier implements QuoteJudge {',
    'export const noQuoteJudge: QuoteJudge = {',
    'verify: async () => {',
  ],
}
/** What its type alone says, gives nobody anything. */
const declared = /\bquotes\??: QuoteJudge( \| undefined)?(?! =)/g
const givesJudge =
  /\bquotes\s*(?::|=(?!=))|\b(?:noQuoteJudge|QuoteVerifier)\b|\bquoteJudge\(|: QuoteJudge =|implements QuoteJudge|(?<!\()\bverify: /

describe('the root key that attestation rests on', () => {
  it('is Intel’s', () => {
    // SHA-384 of the key of Intel's SGX root certificate (protocol 10 §8).
    expect(intelRoots.map((root) => Buffer.from(root).toString('hex'))).toEqual([
      '46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5dcf58eef31463613de1570d516200993',
    ])
  })

  it('goes from the entries to whoever verifies, and no flag, variable of the environment, setting or file comes in between', () => {
    expect(sources.length).toBeGreaterThan(400)
    const found: Record<string, string[]> = {}
    for (const path of sources) {
      if (path.startsWith('protocol/attestation/') || path.startsWith('core/verify/')) continue
      const lines = linesOf(path).filter((line) => /\b(roots|intelRoots|TrustedRoots)\b/.test(line) && !/\bimport\b/.test(line))
      if (lines.length > 0) found[path] = lines
    }
    expect(found).toEqual(handedOn)
    const judging: Record<string, string[]> = {}
    // A file that was saved is verified by root keys alone, there `quotes` are quotes.
    for (const path of sources.filter((source) => !source.startsWith('core/verify/'))) {
      const lines = linesOf(path).filter((line) => givesJudge.test(line.replaceAll(declared, '')) && !/\bimport\b/.test(line))
      if (lines.length > 0) judging[path] = lines
    }
    expect(judging).toEqual(judges)
    // Those that use them read nothing of their own.
    const users = sources.filter((path) => /^(protocol\/attestation|core\/verify)\//.test(path))
    expect(users.length).toBeGreaterThan(20)
    for (const path of users)
      expect(
        linesOf(path).filter((line) => /\bprocess\.(env|argv)\b|settings/.test(line)),
        path,
      ).toEqual([])
  })
})
