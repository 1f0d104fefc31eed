import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cpuClock } from '../base/testing/cpu-ms.ts'
import { findWheel, type WheelPlace } from './package-index.ts'
import { FaultyServer } from './testing/faulty-server.ts'

const json = 'application/vnd.pypi.simple.v1+json'
const hash = '0123456789abcdef'.repeat(4)
let server: FaultyServer

beforeEach(async () => {
  server = new FaultyServer()
  await server.start()
})
afterEach(() => server.stop())

function find(page: string, type = json, change: { version?: string; timeoutMs?: number } = {}): Promise<WheelPlace | undefined> {
  server.put('/simple/my-model/', page, type)
  const query = { package: 'My.Model', version: '2.0', wheelSha256: hash, signal: new AbortController().signal, ...change }
  return findWheel([server.url('/simple//')], query)
}

const listing = (...urls: string[]): string => JSON.stringify({ files: urls.map((url) => ({ url })) })

describe('findWheel', () => {
  it('takes only a wheel for all platforms of exactly this package and version', async () => {
    const others = ['2.0.tar.gz', '2.0.1-py3-none-any.whl', '12.0-py3-none-any.whl', '2.0-cp311-cp311-linux_x86_64.whl']
    const urls = others.map((end) => `https://files.example/my_model-${end}`)
    expect(await find(listing(...urls, 'https://files.example/my_model_x-2.0-py3-none-any.whl'))).toBeUndefined()
    const right = 'https://files.example/a/My.Model-2.0-py2.py3-none-any.whl'
    expect(await find(listing(...urls, right))).toEqual({ url: right, headers: {}, sha256: undefined })
  })

  it('reads the hash that the index states, from JSON and from the end of a link', async () => {
    const name = 'my_model-2.0-py3-none-any.whl'
    const page = JSON.stringify({ files: [{ url: `../f/${name}`, hashes: { sha256: hash.toUpperCase() } }] })
    expect(await find(page)).toEqual({ url: server.url(`/simple/f/${name}`), headers: {}, sha256: hash })
    const link = `<a href="${name}#sha256=${hash}">x</a>`
    const place = { url: server.url(`/simple/my-model/${name}`), headers: {}, sha256: hash }
    expect(await find(link, 'application/vnd.pypi.simple.v1+html')).toEqual(place)
  })

  it('does not follow other kinds of addresses', async () => {
    const name = 'my_model-2.0-py3-none-any.whl'
    expect(await find(listing(`file:///etc/${name}`, `ftp://x.example/${name}`, 'http://%/', '%E0.whl'))).toBeUndefined()
    await expect(findWheel(['file:///srv/simple'], query())).rejects.toThrow('no http address')
    await expect(findWheel(['nonsense'], query())).rejects.toThrow('no http address')
  })

  it('is not held up by a hostile page', async () => {
    await expect(find('{"files": [{"url": 7}]}')).rejects.toThrow('not what it should be')
    await expect(find('no json')).rejects.toThrow('not what it should be')
    await expect(find('x'.repeat(9_000_000), 'text/html')).rejects.toThrow('too long')
    const usedMs = cpuClock()
    for (const piece of ['<a ', '<a href="', "<a href='x", 'href=', '<a href= '])
      expect(await find(piece.repeat(Math.floor(4_000_000 / piece.length)), 'text/html')).toBeUndefined()
    expect(usedMs()).toBeLessThan(5000)
  })

  it('names errors without addresses', async () => {
    server.silent = true
    await expect(find('', json, { timeoutMs: 200 })).rejects.toThrow('the index could not be read (no answer in time)')
    server.silent = false
    server.status = 503
    await expect(find('')).rejects.toThrow('the index answered with error 503')
    server.stop()
    await expect(find('')).rejects.toThrow(/^the index could not be read \((ECONNREFUSED|UND_ERR_SOCKET)\)$/)
  })

  it('asks the next index when one fails, and tells of the failure only when none has the wheel', async () => {
    const url = 'https://files.example/my_model-2.0-py3-none-any.whl'
    server.put('/simple/my-model/', listing(url), json)
    server.put('/broken/my-model/', '{', json)
    const broken = server.url('/broken')
    expect(await findWheel([broken, server.url('/none'), server.url('/simple')], query())).toMatchObject({ url })
    await expect(findWheel([broken, server.url('/none')], query())).rejects.toThrow('not what it should be')
    expect(await findWheel([server.url('/none')], query())).toBeUndefined()
  })
})

function query(): Parameters<typeof findWheel>[1] {
  return { package: 'my-model', version: '2.0', wheelSha256: hash, signal: new AbortController().signal }
}
