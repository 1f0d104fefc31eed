import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Address } from '@ton/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stoppedStatus } from './status.ts'
import { pseudoProxy, temporaryFolder } from './testing/fixtures.ts'
import { firstAnswer, lastPart, readyClient, readyWorker, runQuery, workerOwner } from './testing/scripted.ts'

const entry = fileURLToPath(new URL('./testing/proxy-process.ts', import.meta.url))
const node = join(fileURLToPath(new URL('../../node_modules/.bin/', import.meta.url)), 'node')

describe('durability', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let child: ChildProcess | undefined

  beforeEach(() => {
    folder = temporaryFolder()
  })
  afterEach(() => {
    child?.kill('SIGKILL')
    folder.remove()
  })

  it.each([0, 40])('has on disk what it promised, when killed right after a payment (commit delay %i ms)', async (delay) => {
    let promised = 0n
    for (let life = 0; life < 3; life++) {
      child = fork(entry, [folder.path, String(delay)], { execPath: node, stdio: 'ignore' })
      const [ports] = (await once(child, 'message')) as [{ workerPort: number; clientPort: number }]
      const remote = { status: { value: { ...stoppedStatus, ...ports } } }
      const worker = await readyWorker(remote)
      const client = await readyClient(remote)
      for (let request = 0; request <= life; request++) {
        client.send(runQuery())
        const { request_id } = await worker.expect('proxy.runQueryEx')
        worker.send(firstAnswer(request_id))
        worker.send(lastPart(request_id, 10 + request))
        promised += BigInt(10 + request)
        const payment = await (life % 2 === 0
          ? worker.expect('proxy.workerRequestPayment')
          : client.expect('proxy.clientRequestPayment'))
        expect(payment.max_tokens).toBe(promised)
      }
      child.kill('SIGKILL')
      await once(child, 'exit')
      worker.end()
      client.end()
    }
    const after = pseudoProxy(folder.path)
    await after.start()
    const account = after.account('worker', Address.parse(workerOwner))
    await after.stop()
    expect(account?.db).toBe(promised)
  })
})
