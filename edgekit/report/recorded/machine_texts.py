"""What core says of a run and of its machine, in Chinese: by the codes of its own tables."""

from __future__ import annotations

STABILITY: dict[str, str] = {
    "few_moments": "只计到 {moments} 帧（或批），不足以判断：请延长测量时间",
    "rose": "运行期间速率上升了 {change} %，时钟或缓存仍在预热：请延长测量时间",
    "fell": "运行期间速率下降了 {change} %，原因是发热或时钟下降：请检查温度并锁定时钟",
    "interrupted": "{windows} 个时间窗中有 {slow} 个比其余的慢 {loss} %，像是有其他程序在运行：请关闭后重新测量",
    "uncertain": "速率的误差达 {half} %，各时间窗相差 {spread} %，原因是其他程序或时钟变化："
    "请关闭其他程序，或测量 {needed} 秒",
    "uncertain_rounds": "速率的误差达 {half} %，各时间窗相差 {spread} %，原因是其他程序或时钟变化："
    "请关闭其他程序，或分多轮测量",
}

PREFLIGHT: dict[str, str] = {
    "throttling": "设备正在降频（{alerts}）：请等待其冷却，或改善散热",
    "near_limit": "{zone} 距离设备降频的温度只差 {headroom} °C：请先等待其冷却，或改善散热",
    "busy": "其他程序占用了 {busy} % 的处理器：请关闭后重新测量",
    "busy_by": "其他程序（{programs}）占用了 {busy} % 的处理器：请关闭后重新测量",
    "gpu_users": "还有其他程序打开了 GPU（{programs}）：请关闭其中正在使用 GPU 的程序",
    "little_memory": "只剩 {left} MiB 内存：请关闭其他程序，否则引擎可能变慢或被系统终止",
    "swapped": "{used} MiB 内存已换出到 {swap}：从那里读回的内容很慢",
    "power_mode": "功耗模式为 {value}：{advice}",
    "clocks": "时钟{value}：{advice}",
    "governor": "调频策略为 {value}：{advice}",
    "fan": "风扇转速为 {value}：{advice}",
    "strongest": "该板性能最高的模式是 {best}，设置命令：sudo nvpmodel -m {number}",
    "strongest_restart": "该板性能最高的模式是 {best}，需要重启，设置命令：sudo nvpmodel -m {number}",
    "strongest_restart_or": "该板性能最高的模式是 {best}，需要重启，设置命令：sudo nvpmodel -m {number}；"
    "不重启可用 {other}：sudo nvpmodel -m {other_number}",
    "lock": "可用 edgekit bench --tune 或 sudo jetson_clocks 锁定",
    "governor_up": "performance 可使处理器保持高频，可用 edgekit bench --tune 设置",
    "fan_up": "应让风扇全速运转，可用 edgekit bench --tune 设置",
    "fan_at": "{pwm} / {full}",
}

DISTURBANCES: dict[str, str] = {
    "throttled": "芯片因过热降频：{all} 次检查中出现 {looks} 次（{alerts}）",
    "gpu_slowed": "GPU 主动降频：{all} 次检查中出现 {looks} 次（{reasons}）",
    "oc1_event_cnt": "供电电压过低，应更换更强的电源（oc1_event_cnt 增加了 {times}）",
    "oc2_event_cnt": "平均电流超过允许值（oc2_event_cnt 增加了 {times}）",
    "oc3_event_cnt": "瞬时电流超过允许值（oc3_event_cnt 增加了 {times}）",
    "core_throttle_count": "有处理器核心因过热降频（core_throttle_count 增加了 {times}）",
    "package_throttle_count": "处理器因过热降频（package_throttle_count 增加了 {times}）",
    "other_event": "{event}（{counter} 增加了 {times}）",
    "power_mode": "功耗模式发生变化：{turns}",
    "clock_limits": "{what} 的时钟范围发生变化：{turns}",
}

# Words that stand in blanks, of these tables and of others.
WORDS: dict[str, str] = {
    "hardware slowdown": "硬件降频",
    "heat, by the driver": "驱动因过热限频",
    "heat, by the hardware": "硬件因过热限频",
    "power brake of the board": "板卡功率制动",
    "vary": "未锁定",
    "locked": "已锁定",
    "full": "全速",
    "connecting": "正在连接",
    "stalled": "停滞",
    "reconnecting": "正在重连",
    "power_mode": "功耗模式",
    "clocks": "时钟",
    "governor": "调频策略",
    "fan": "风扇",
    "None": "未知",
    "True": "是",
    "False": "否",
    "objects": "目标",
    "strata": "层",
    "classes": "类别",
    "reasons": "原因",
}
