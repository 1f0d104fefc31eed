import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Listener } from '../../base/http-listener.ts'
import { silentLogger } from '../../base/logger.ts'
import { Signal } from '../../base/signal.ts'
import type { CocoonProxy } from '../../proxy/proxy.ts'
import { goldenOwner, goldenRoot, goldenWallet, pseudoProxy, temporaryFolder } from '../../proxy/testing/fixtures.ts'
import { readyClient, readyWorker, runQuery } from '../../proxy/testing/scripted.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { asJson, exchange, requestBytes } from '../testing/http-exchange.ts'
import { openProxyHttp } from './proxy-http.ts'

const root = new Signal<RootConfig | null>(goldenRoot())
let folder: ReturnType<typeof temporaryFolder>
let proxy: CocoonProxy
let http: Listener

async function start(): Promise<void> {
  proxy = pseudoProxy(folder.path, {}, { root })
  await proxy.start()
  const wallet = { address: goldenWallet, money: undefined }
  const place = { host: '127.0.0.1', port: 0, accessHash: 'secret', logger: silentLogger }
  http = await openProxyHttp({ ...place, proxy, wallet, contract: goldenOwner })
}
async function stop(): Promise<void> {
  await http.close()
  await proxy.stop()
}
beforeEach(async () => {
  folder = temporaryFolder()
  root.set(goldenRoot())
  await start()
})
afterEach(async () => {
  await stop()
  folder.remove()
})

const ask = async (method: string, path: string, body = ''): Promise<number> =>
  (await exchange(http.port, requestBytes(method, path, body))).status
const status = async (): Promise<unknown> =>
  (asJson((await exchange(http.port, requestBytes('GET', '/jsonstats'))).body) as { status: unknown }).status
const key = '?access_hash=secret'

describe("the proxy's operator", () => {
  it('disables it until the network has a newer version, over restarts, and enables it', async () => {
    expect(await ask('POST', '/request/disable')).toBe(403)
    expect(await ask('GET', `/request/disable${key}`)).toBe(405)
    expect(await ask('POST', `/request/disable${key}`, 'version=x')).toBe(400)
    expect(await status()).toMatchObject({ enabled: true })
    expect(await ask('POST', `/request/disable${key}`, 'version=5')).toBe(200)
    expect(await status()).toMatchObject({ enabled: false, disabled_until_version: 5 })

    await stop()
    await start()
    expect(await status()).toMatchObject({ enabled: false })
    expect(proxy.status.value.trouble).toContain('disabled')
    const [client, worker] = [await readyClient(proxy), await readyWorker(proxy)]
    client.send(runQuery())
    expect(await client.expect('client.queryAnswerErrorEx')).toMatchObject({ error_code: 651, error: 'proxy is disabled' })

    // The version that it was disabled for is over.
    root.set(goldenRoot({ version: 6 }))
    await expect.poll(status).toMatchObject({ enabled: true })
    client.send(runQuery())
    await worker.expect('proxy.runQueryEx')
    client.end()
    worker.end()
  })

  it('disables it for the present version where none is named', async () => {
    expect(await ask('POST', `/request/disable${key}`)).toBe(200)
    expect(await status()).toMatchObject({ enabled: false, disabled_until_version: 3 })
    expect(await ask('POST', `/request/enable${key}`)).toBe(200)
    expect(await status()).toMatchObject({ enabled: true })
    expect(await status()).not.toHaveProperty('disabled_until_version')
    await stop()
    await start()
    expect(await status()).toMatchObject({ enabled: true })
  })

  it('sees how busy it is, and what its wallet does', async () => {
    expect((await exchange(http.port, requestBytes('GET', '/perf'))).body).toMatch(/^uptime_s /)
    const stats = asJson((await exchange(http.port, requestBytes('GET', '/jsonstats'))).body)
    const counts = { seqno: 0, pending_transactions_cnt: 0, active_transactions_cnt: 0 }
    expect(stats).toMatchObject({ status: { actual_image_hash: true }, wallet: { ...counts, balance: 0 } })
  })
})
