import type { NetworkState } from '../../../preload/api/system.ts'
import { useTexts } from '../messages/texts.tsx'

/** Which network is open and whether its coins are real: in sight on every screen. */
export function NetworkChip({ network }: { network: Pick<NetworkState, 'name' | 'chain'> }) {
  const { t } = useTexts()
  return (
    <span className="chip chip-outline ms-auto">
      {/* One child: the chip sets its children apart. */}
      <span>
        {network.name === null ? null : (
          <>
            <bdi>{network.name}</bdi>
            {', '}
          </>
        )}
        {network.chain === 'local' ? t('network.localChip') : t(`network.chip.${network.chain}`)}
      </span>
    </span>
  )
}
