import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { chainIdOf } from './chain-id.ts'
import { chainFileName } from './local-chain.ts'
import { newFolder, startChain } from './testing.ts'

describe('the number of a local chain', () => {
  let folder: ReturnType<typeof newFolder>
  beforeEach(() => {
    folder = newFolder()
  })
  afterEach(() => folder.remove())
  const idOf = (path = folder.path): number | undefined => chainIdOf(path, silentLogger)

  it('is there before the chain begins, stays with it, and is that of no other chain', async () => {
    const before = idOf()
    expect(before).toBeGreaterThan(0)
    const chain = await startChain(folder.path)
    expect(chain.created).toBe(true)
    await chain.close()
    expect(idOf()).toBe(before)
    const other = newFolder()
    await (await startChain(other.path)).close()
    expect(idOf(other.path)).toBeGreaterThan(0)
    expect(idOf(other.path)).not.toBe(before)
    other.remove()
  })

  it('is 0 for a chain of before, and unknown when the file is none', () => {
    idOf()
    const file = join(folder.path, chainFileName)
    const raw = new DatabaseSync(file)
    raw.exec("DELETE FROM meta WHERE key = 'id'")
    raw.close()
    expect(idOf()).toBe(0)
    writeFileSync(file, 'no database at all, but long enough to look like one'.repeat(100))
    expect(idOf()).toBeUndefined()
  })
})
