import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { cruise } from 'dependency-cruiser'
import { describe, expect, it } from 'vitest'
import config from '../.dependency-cruiser.cjs'

/** A small house in which every wall is broken once; each rule must name its hole, and the lawful imports must pass. */
const house: Record<string, string> = {
  'main/base/logger.ts': 'export const log = 1',
  'main/base/bad.ts': "import { chain } from '../ton/chain.ts'\nexport const x = chain",
  'main/ton/chain.ts': "import { log } from '../base/logger.ts'\nexport const chain = log\nexport type Chain = number",
  'main/wallet/good.ts': "import type { Chain } from '../ton/chain.ts'\nexport const x: Chain = 1",
  'main/wallet/bad.ts': "import { chain } from '../ton/chain.ts'\nexport const x = chain",
  'main/client/good.ts': "import { chain } from '../ton/chain.ts'\nexport const x = chain",
  'main/client/bad.ts': "import { p } from '../proxy/p.ts'\nexport const x = p",
  'main/proxy/p.ts': "import { q } from './q.ts'\nexport const p = q",
  'main/proxy/q.ts': "import { p } from './p.ts'\nexport const q: unknown = p",
  'main/keys/bad.ts': "import { p } from '../proxy/p.ts'\nexport const x = p",
  'main/devices/bad.ts': "import { p } from '../proxy/p.ts'\nexport const x = p",
  'main/headless/bad.ts': "import { p } from '../proxy/p.ts'\nexport const x = p",
  'main/core/dialer.ts': 'export const d = 1',
  'main/roles/good.ts': "import { p } from '../proxy/p.ts'\nimport { d } from '../core/dialer.ts'\nexport const x = [p, d]",
  'main/roles/bad.ts': "import { core } from '../core.ts'\nexport const x = core",
  'main/core.ts': "import { p } from './proxy/p.ts'\nimport 'electron'\nexport const core = p",
  'main/page.ts': "import { r } from '../renderer/src/r.ts'\nexport const x = r",
  'main/uses-testing.ts': "import { t } from './inference/testing/t.ts'\nexport const x = t",
  'main/inference/testing/t.ts': 'export const t = 1',
  'renderer/src/r.ts': "import { core } from '../../main/core.ts'\nexport const r: unknown = core",
  'preload/api/a.ts': "import { log } from '../../main/base/logger.ts'\nexport const a = log",
  'contracts/c.ts': "import { log } from '../main/base/logger.ts'\nexport const c = log",
  'e2e/e.ts': "import { core } from '../main/core.ts'\nexport const e = core",
  'e2e/support/attested/program.ts': 'export const program = 1',
  'e2e/starts.ts': "import { program } from './support/attested/program.ts'\nexport const x = program",
  'node_modules/electron/index.js': 'module.exports = {}',
  'node_modules/electron/package.json': '{"name":"electron","main":"index.js"}',
}

describe('the import rules', () => {
  it('catch each broken wall and nothing else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cocoon-house-'))
    for (const [path, text] of Object.entries(house)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    const { output } = await cruise(['main', 'renderer', 'preload', 'contracts', 'e2e'], {
      ...config.options,
      baseDir: folder,
      ruleSet: { forbidden: config.forbidden },
      validate: true,
    })
    if (typeof output === 'string') throw new Error('The check gave text instead of a result.')
    const found = output.summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`)
    expect(new Set(found.map((line) => line.split(':')[0]))).toEqual(new Set(config.forbidden.map(({ name }) => name)))
    expect(found.filter((line) => line.includes('good.ts'))).toEqual([])
    for (const room of ['keys', 'devices'])
      expect(found).toContain(`first-floor-rooms-do-not-know-each-other: main/${room}/bad.ts`)
  })
})
