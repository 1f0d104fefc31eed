import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { CoreToShell } from '../shell-link.ts'
import { startCoreChild } from './core-child.ts'

/** A real child process that behaves as the given script says. */
function start(script: string, nodePath = process.execPath) {
  const entry = join(mkdtempSync(join(tmpdir(), 'cocoon-core-')), 'core.mjs')
  writeFileSync(entry, script)
  const messages: CoreToShell[] = []
  let lost: (code: number | null) => void = () => undefined
  const onLost = new Promise<number | null>((resolve) => {
    lost = resolve
  })
  const child = startCoreChild({
    nodePath,
    entry,
    onMessage: (message) => messages.push(message),
    onLost: (code) => lost(code),
  })
  return { child, messages, onLost }
}

const until = async (condition: () => boolean): Promise<void> => {
  await expect.poll(condition).toBe(true)
}

describe('the core under the desktop shell', () => {
  it('passes well-formed messages on and drops others', async () => {
    const { child, messages } = start(
      "process.send({type:'nonsense'});process.send({type:'message',link:'window',message:{t:'end',n:1}});process.on('message',(m)=>{if(m.type==='stop')process.exit(0)})",
    )
    await until(() => messages.length > 0)
    expect(messages).toEqual([{ type: 'message', link: 'window', message: { t: 'end', n: 1 } }])
    await child.stop(5000)
  })

  it('tells when the core is lost', async () => {
    const { onLost } = start('process.exit(7)')
    expect(await onLost).toBe(7)
  })

  it('tells when the core cannot be started at all', async () => {
    const { child, onLost } = start('', '/nowhere/node')
    expect(await onLost).toBe(null)
    await child.stop(5000)
  })

  it('ends a core that does not stop when asked', async () => {
    const { child, messages, onLost } = start(
      "process.on('message',()=>{});process.on('SIGTERM',()=>{});process.send({type:'ready'})",
    )
    await until(() => messages.length > 0)
    await child.stop(200)
    const outcome = await Promise.race([onLost, new Promise((resolve) => setTimeout(() => resolve('not reported as lost'), 100))])
    expect(outcome).toBe('not reported as lost')
  })
})
