import { describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { openDatabase } from '../storage/database.ts'
import { Gateway } from './gateway.ts'
import { gatewayMigrations } from './gateway-tables.ts'
import { question, stageOf, stageOver } from './testing/gateway-scene.ts'
import { paidPlace } from './testing/gateway-stage.ts'

describe('the address', () => {
  it('is closed and opened by the switch, and says when its port is taken', async () => {
    const stage = await stageOf(paidPlace(1n))
    const { gateway, port } = stage
    await gateway.apply({ enabled: false, port })
    await expect(stage.send('GET', '/health')).rejects.toThrow(/ECONNREFUSED/)
    expect(gateway.view().status).toBe('off')
    await gateway.apply({ enabled: true, port })
    expect((await stage.send('GET', '/health')).status).toBe(200)
    const other = await stageOver([])
    await other.gateway.apply({ enabled: true, port })
    expect(other.gateway.view()).toMatchObject({ status: 'failed', error: expect.stringContaining(`Port ${port} is used`) })
  })

  it('is as it was left at the next start', async () => {
    const stage = await stageOf(paidPlace(1n))
    const { gateway, port } = stage
    await gateway.stop()
    const database = openDatabase(stage.databasePath, gatewayMigrations, { logger: silentLogger })
    const next = () => new Gateway({ database, backends: [], logger: silentLogger })
    const first = next()
    await first.start()
    expect(first.view()).toMatchObject({ status: 'off', enabled: false, url: 'http://127.0.0.1:4811/v1' })
    await first.set({ port })
    await first.set({ enabled: true })
    expect(first.view()).toMatchObject({ status: 'listening', port })
    await first.stop()
    const second = next()
    await second.start()
    expect(second.view()).toMatchObject({ status: 'listening', port })
    await second.set({ enabled: false })
    await expect(stage.send('GET', '/health')).rejects.toThrow(/ECONNREFUSED/)
    await second.stop()
    database.close()
  })

  it('tells Prometheus what happened', async () => {
    const place = paidPlace(5n)
    const stage = await stageOf(place)
    const key = stage.key({ name: 'my "program"', level: 'practice', dailyLimit: 100n })
    await stage.send('POST', '/v1/chat/completions', { key, body: question })
    await stage.send('POST', '/v1/chat/completions', { key, body: { ...question, model: 'network/x' } })
    const { text, headers } = await stage.send('GET', '/metrics', { key })
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(text).toContain('cocoon_api_requests_total{endpoint="chat",level="practice",status="200"} 1\n')
    expect(text).toContain('cocoon_api_requests_total{endpoint="chat",level="none",status="404"} 1\n')
    expect(text).toContain('cocoon_api_tokens_total{level="practice",kind="completion"} 4\n')
    expect(text).toContain('cocoon_api_spent_nanoton_total{level="practice"} 1\n')
    expect(text).toMatch(/cocoon_api_request_duration_seconds_bucket\{endpoint="chat",level="practice",le="\+Inf"\} 1\n/)
    expect(text).not.toContain('program')
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^{}]*\})? [0-9.e+-]+)$/)
  })
})
