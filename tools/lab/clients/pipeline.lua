-- wrk: four requests at once, the next four when all are answered.
init = function()
	local one = wrk.format()
	four = one .. one .. one .. one
end
request = function()
	return four
end
