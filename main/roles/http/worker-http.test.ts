import { get } from 'node:http'
import { expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../../base/logger.ts'
import { scriptedNetwork } from '../../protocol/testing/scripted-network.ts'
import { modelName, workerPeer } from '../../worker/testing/worker-peer.ts'
import { WorkerMeter } from '../worker-meter.ts'
import { openWorkerHttp } from './worker-http.ts'

const { owner, root } = scriptedNetwork

async function openStatus() {
  const peer = await workerPeer()
  const prices: number[] = []
  const http = await openWorkerHttp({
    host: '127.0.0.1',
    port: 0,
    worker: peer.worker,
    meter: new WorkerMeter(peer.worker, () => ({ coefficient: 1000, multipliers: root.params.multipliers })),
    wallet: { address: owner, money: undefined },
    owner,
    modelName,
    coefficient: () => 1000,
    setCoefficient: (thousandths) => prices.push(thousandths),
    checksHashes: false,
    accessHash: 'key',
    root: () => root,
    logger: silentLogger,
  })
  onTestFinished(async () => {
    await http.close()
    await peer.dispose()
  })
  const ask = (path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      get({ host: '127.0.0.1', port: http.port, path: `${path}access_hash=key` }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode))
      }).once('error', reject)
    })
  return { ask, prices }
}

it.each([
  '?',
  '?coefficient=&',
  '?coefficient=%20&',
  '?coefficient=-1&',
  '?coefficient=0x10&',
  '?coefficient=1e3&',
  '?coefficient=1.&',
  '?coefficient=1000000&',
])('a change of the price to what is no price changes nothing: %s', async (query) => {
  const { ask, prices } = await openStatus()
  expect(await ask(`/request/change_coefficient${query}`)).toBe(400)
  expect(prices).toEqual([])
})

it('a price is a factor of the price of the network', async () => {
  const { ask, prices } = await openStatus()
  for (const factor of ['0', '2', '1.5', '999999.999'])
    expect(await ask(`/request/change_coefficient?coefficient=${factor}&`)).toBe(200)
  expect(prices).toEqual([0, 2000, 1500, 999_999_999])
})
