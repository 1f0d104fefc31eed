import { Eye, Waypoints } from 'lucide-react'
import type { ReactNode } from 'react'
import type { NetworkState } from '../../../preload/api/system.ts'
import { useStream } from '../api/use-stream.ts'
import { ScreenTitle } from '../app/screen-title.tsx'
import { shortAddress } from '../format/names.ts'
import { useFormat } from '../format/use-format.ts'
import { type Say, useTexts } from '../messages/texts.tsx'
import { useCoreWords } from '../messages/use-core-words.ts'
import { CopyButton } from '../ui/copy-button.tsx'
import { EmptyState } from '../ui/empty-state.tsx'
import { ErrorNote, Refusal } from '../ui/error-note.tsx'
import { FactList } from '../ui/fact-list.tsx'
import { Icon } from '../ui/icon.tsx'
import { Money } from '../ui/money.tsx'
import { ScrollRegion } from '../ui/scroll-region.tsx'
import { Skeleton } from '../ui/skeleton.tsx'
import { isAllHere } from './all-here.ts'

export function NetworkScreen() {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const format = useFormat()
  const { value: network, error } = useStream('network.state', {})
  const root = network?.root
  return (
    <main className="page" data-region="content">
      <div className="page-inner">
        <div className="page-head">
          <ScreenTitle>{t('screen.network')}</ScreenTitle>
          <span className="num text-sm text-ink-2">
            {root ? t('network.registry', { version: root.version, time: format.clock(root.readAtMs, true) }) : null}
          </span>
          {root ? (
            <span className="mono ms-auto inline-flex items-center gap-1 text-sm text-ink-2">
              <span title={root.address}>{shortAddress(root.address)}</span>
              <CopyButton value={root.address} label={t('action.copyOf', { name: t('network.root') })} />
            </span>
          ) : null}
        </div>
        {error ? <Refusal error={error} /> : null}
        {network?.error ? (
          <ErrorNote title={t(root ? 'network.trouble' : 'network.problem')}>
            <p>{said(network.error, network.errorWords)}</p>
          </ErrorNote>
        ) : null}
        {network?.others?.disputed && !network.error ? (
          <ErrorNote title={t('network.disagree')}>
            <p>{t('network.disagreeText', network.others.disputed)}</p>
          </ErrorNote>
        ) : null}
        {network?.readOnly ? (
          <div className="banner" role="note">
            <Icon of={Eye} size={18} />
            <div className="min-w-0 flex-1">
              <b>{t('network.readOnly')}</b>
              <p>{t('network.readOnlyText')}</p>
            </div>
          </div>
        ) : null}
        {network ? (
          <>
            <Counts network={network} />
            <div className="two-columns">
              <div className="flex min-w-0 flex-col gap-4">
                <Proxies network={network} />
                {network.readOnly ? null : <Models network={network} />}
              </div>
              <div className="flex min-w-0 flex-col gap-4">
                {network.readOnly ? null : <Path network={network} />}
                {root ? <RootValues root={root} endpoint={network.endpoint} others={network.others} /> : null}
              </div>
            </div>
          </>
        ) : error ? null : (
          <Skeleton awaited={t('network.loading')} />
        )}
      </div>
    </main>
  )
}

function Counts({ network }: { network: NetworkState }) {
  const { t } = useTexts()
  const format = useFormat()
  const connected = network.proxies.filter(({ state }) => state === 'connected').length
  const workers = network.proxies.reduce((sum, proxy) => sum + (proxy.workers ?? 0), 0)
  const cell = (label: string, value: React.ReactNode, note: string) => (
    <div>
      <span className="figure-label">{label}</span>
      <b className="block text-2xl tracking-tight">{value}</b>
      <span className="text-sm text-ink-2">{note}</span>
    </div>
  )
  return (
    <section className="card cells num" aria-label={t('network.counts')}>
      {cell(
        t('network.name'),
        <bdi className="text-xl">{network.name ?? t('network.local')}</bdi>,
        isAllHere(network) ? t('network.onThisComputer') : t(`network.on.${network.chain}`),
      )}
      {cell(
        t('network.proxies'),
        <>
          {format.count(connected)}{' '}
          <span className="text-lg font-normal text-ink-2">{t('network.of', { n: format.count(network.proxies.length) })}</span>
        </>,
        t('network.connected'),
      )}
      {network.readOnly
        ? cell(t('network.workers'), '–', t('network.notAsked'))
        : cell(t('network.workers'), format.count(workers), t('network.saidByProxy'))}
      {cell(
        t('network.price'),
        network.root ? <Money nano={network.root.pricePerToken} rounding="up" className="text-xl" /> : '–',
        t('network.perToken'),
      )}
    </section>
  )
}

function Proxies({ network }: { network: NetworkState }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  const format = useFormat()
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('network.proxies')}</h2>
        <span className="text-xs text-ink-3">{t('network.proxiesNote')}</span>
      </div>
      {network.proxies.length === 0 ? (
        <EmptyState icon={Waypoints} title={t('network.noProxies')} text={t('network.noProxiesText')} />
      ) : (
        <ScrollRegion label={t('network.proxies')} className="table-scroll mt-0.5">
          <table className="table num">
            <thead>
              <tr>
                <th>{t('column.address')}</th>
                <th>{t('column.state')}</th>
                <th>{t('column.check')}</th>
                <th className="end">{t('network.workers')}</th>
              </tr>
            </thead>
            <tbody>
              {network.proxies.map((proxy) => (
                <tr key={`${proxy.clientPort} ${proxy.workerPort}`}>
                  <td>
                    <span className="mono block">{proxy.clientPort}</span>
                    {proxy.contract === undefined ? null : (
                      <span className="mono inline-flex items-center gap-1 text-xs text-ink-3">
                        <span title={proxy.contract}>{shortAddress(proxy.contract)}</span>
                        <CopyButton value={proxy.contract} label={t('action.copyOf', { name: t('sheet.proxyContract') })} />
                      </span>
                    )}
                  </td>
                  <td className={proxy.state === 'lost' ? 'text-danger' : 'text-ink-2'}>{t(`proxy.${proxy.state}`)}</td>
                  <td className="max-w-[26rem] whitespace-normal! text-ink-2">{said(proxy.verification)}</td>
                  <td className="end">{proxy.workers === null ? '–' : format.count(proxy.workers)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </section>
  )
}

function Models({ network }: { network: NetworkState }) {
  const { t } = useTexts()
  const format = useFormat()
  return (
    <section className="card">
      <div className="card-head">
        <h2>{t('network.models')}</h2>
        <span className="text-xs text-ink-3">{t('network.saidByProxy')}</span>
      </div>
      {network.models.length === 0 ? (
        <p className="px-[1.125rem] pt-1 pb-4 text-sm text-ink-2">{t('network.noModels')}</p>
      ) : (
        <ScrollRegion label={t('network.models')} className="table-scroll mt-0.5">
          <table className="table num">
            <thead>
              <tr>
                <th>{t('column.model')}</th>
                <th className="end">{t('network.workers')}</th>
                <th className="end">{t('network.coefficient')}</th>
              </tr>
            </thead>
            <tbody>
              {network.models.map((model) => (
                <tr key={model.name}>
                  <td className="font-medium whitespace-normal! break-all">{model.name}</td>
                  <td className="end">{format.count(model.workers)}</td>
                  <td className="end text-ink-2">
                    {model.coefficient === null
                      ? '–'
                      : t('network.times', {
                          value: format.decimal(model.coefficient / 1_000, model.coefficient % 1_000 === 0 ? 0 : 3),
                        })}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </section>
  )
}

/** This computer's way to work: five knots. The first that fails is brick, the later ones stay hollow. */
function Path({ network }: { network: NetworkState }) {
  const { t } = useTexts()
  const { said } = useCoreWords()
  return (
    <section className="card" aria-label={t('network.path')}>
      <div className="card-head">
        <h2>{t('network.path')}</h2>
      </div>
      <ol className="path-steps num">
        {network.path.map((step) => (
          <li key={step.id} data-state={step.state}>
            <span className="flex flex-wrap justify-between gap-x-3">
              <span className={step.state === 'failed' ? 'font-medium text-danger' : step.state === 'ahead' ? 'text-ink-2' : ''}>
                {t(`step.${step.id}`)}
                <span className="sr-only">, {t(`stepState.${step.state}`)}</span>
              </span>
              <span className="min-w-0 break-words text-ink-3 [overflow-wrap:anywhere]">
                {said(step.detail, step.detailWords)}
              </span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}

type Row = readonly [name: string, value: ReactNode]

/** What the endpoints said that were asked for the contract beside the one that it is read through. */
function otherEndpoints(t: Say, { same, silent, disputed }: NonNullable<NetworkState['others']>): readonly Row[] {
  const list = (endpoints: readonly string[]) =>
    endpoints.map((endpoint) => (
      <span key={endpoint} className="block">
        {endpoint}
      </span>
    ))
  if (disputed) {
    const other = <b className="font-medium text-danger">{disputed.other}</b>
    return [[t('root.saidElse'), other]]
  }
  if (same.length + silent.length === 0) return [[t('root.others'), t('root.othersNone')]]
  const rows: readonly (readonly [string, readonly string[]])[] = [
    [t('root.saidSame'), same],
    [t('root.silent'), silent],
  ]
  return rows.filter(([, endpoints]) => endpoints.length > 0).map(([name, endpoints]) => [name, list(endpoints)])
}

function RootValues({
  root,
  endpoint,
  others,
}: { root: NonNullable<NetworkState['root']> } & Pick<NetworkState, 'endpoint' | 'others'>) {
  const { t } = useTexts()
  const format = useFormat()
  const multipliers = root.multipliers
  // The contract counts in ten-thousandths.
  const factor = (value: number): string => format.decimal(value / 10_000, value % 10_000 === 0 ? 0 : 1)
  const rows: readonly Row[] = [
    [t('root.version'), t('root.versions', { version: root.version, params: root.paramsVersion, struct: root.structVersion })],
    [t('root.kind'), root.isTest ? t('root.test') : t('root.real')],
    [t('root.price'), format.exact(root.pricePerToken)],
    [t('root.fee'), format.exact(root.workerFeePerToken)],
    [
      t('root.multipliers'),
      [multipliers.prompt, multipliers.cached, multipliers.completion, multipliers.reasoning].map(factor).join(' / '),
    ],
    [t('root.clientStake'), format.exact(root.minClientStake)],
    [t('root.proxyStake'), format.exact(root.minProxyStake)],
    [t('root.readFrom'), endpoint ?? '–'],
    ...(others ? otherEndpoints(t, others) : []),
  ]
  return (
    <section className="card" aria-label={t('root.title')}>
      <div className="card-head">
        <h2>{t('root.title')}</h2>
        <span className="text-xs text-ink-3">{t('root.note')}</span>
      </div>
      <FactList rows={rows} />
    </section>
  )
}
