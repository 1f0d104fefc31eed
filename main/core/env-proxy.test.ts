import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createLogger, silentLogger } from '../base/logger.ts'
import { applyEnvProxy, proxySettings } from './env-proxy.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('proxySettings', () => {
  it('takes either case, leaves this computer out, and nothing where nothing is named', () => {
    expect(proxySettings({})).toBeUndefined()
    expect(proxySettings({ NO_PROXY: 'x', HTTP_PROXY: '' })).toBeUndefined()
    expect(proxySettings({ HTTPS_PROXY: 'http://p:1', NO_PROXY: 'lan.example' })).toEqual({
      https_proxy: 'http://p:1',
      no_proxy: 'lan.example,localhost,127.0.0.1,::1,[::1]',
    })
    expect(proxySettings({ HTTP_PROXY: 'http://a:1', http_proxy: 'http://b:2' })).toMatchObject({ http_proxy: 'http://b:2' })
  })
})

describe('applyEnvProxy', () => {
  it.each([
    'http://user:secret@:1',
    'user:secret@proxy:3128',
    'socks5://user:secret@proxy:1',
    'http://user:secret%zz@proxy:1',
    '///secret',
  ])('goes on without a proxy that is no HTTP address, and does not tell it: %s', (address) => {
    const lines: string[] = []
    const logger = createLogger((line) => lines.push(line))
    const env = { HTTP_PROXY: address, https_proxy: address }
    closers.push(applyEnvProxy(logger, env))
    expect(proxySettings(env)).toBeUndefined()
    expect(proxySettings({ ...env, HTTPS_PROXY: 'http://p:1', https_proxy: '' })).toMatchObject({ https_proxy: 'http://p:1' })
    expect(lines).toEqual([expect.stringContaining('variable=HTTP_PROXY'), expect.stringContaining('variable=HTTPS_PROXY')])
    expect(lines.join()).not.toMatch(/secret|user/)
  })

  it('asks the proxy for others, and this computer directly', async () => {
    const origin = await listen(createServer((_, response) => response.end('from the origin')))
    const asked: string[] = []
    const proxy = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.end('by the proxy')
    })
    // Where a tunnel is asked for, it leads to the origin whatever the name: no name of a test is known to anybody.
    proxy.on('connect', (request, client) => {
      asked.push(request.url ?? '')
      const [host, port] = origin.split(':')
      const tunnel = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n')
        tunnel.pipe(client).pipe(tunnel)
      })
    })
    closers.push(applyEnvProxy(silentLogger, { HTTP_PROXY: `http://${await listen(proxy)}` }))
    expect(await (await fetch(`http://${origin}/direct`)).text()).toBe('from the origin')
    expect(asked).toEqual([])
    expect(await (await fetch('http://models.invalid/file')).text()).toMatch(/by the proxy|from the origin/)
    expect(asked.join()).toContain('models.invalid')
  })
})
